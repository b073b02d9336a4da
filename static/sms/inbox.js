"use strict";
// Whoever has a conversation before their eyes has read it. Without this there is a button.
{
    const form = document.querySelector("form[data-seen]");
    const markSeen = async () => {
        if (!form || document.hidden || form.dataset.done) {
            return;
        }
        form.dataset.done = "yes";
        const answer = await fetch(form.action, { method: "POST", body: new FormData(form), redirect: "manual" });
        if (answer.type === "opaqueredirect") {
            form.remove();
        }
    };
    document.addEventListener("visibilitychange", markSeen);
    window.addEventListener("load", markSeen);
}
