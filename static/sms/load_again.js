"use strict";
// Keeps a part of a page fresh while something goes on in the background; the page is loaded anew once that is over.
{
    const part = document.getElementById("going-on");
    const again = () => window.setTimeout(look, Number(part.dataset.seconds) * 1000);
    const look = async () => {
        if (document.hidden) {
            document.addEventListener("visibilitychange", look, { once: true });
            return;
        }
        try {
            const answer = await fetch(window.location.href, { redirect: "error" });
            const page = new DOMParser().parseFromString(await answer.text(), "text/html");
            const fresh = page.getElementById("going-on");
            if (answer.ok && !fresh) {
                window.location.reload();
                return;
            }
            if (answer.ok && !part.contains(document.activeElement)) {
                part.replaceChildren(...fresh.childNodes);
            }
        } catch {
            // away or signed out: what is shown stays
        }
        again();
    };
    if (part) {
        again();
    }
}
