"use strict";
// Shows how far a forecast is counted, and opens the page anew when it is.
{
    const panel = document.getElementById("forecast");
    if (panel?.dataset.url) {
        const pause = Number(panel.dataset.milliseconds) || 500;
        const bar = panel.querySelector("progress");
        const words = panel.querySelector("[data-words]");
        let failures = 0;
        const later = (milliseconds) => window.setTimeout(ask, milliseconds);
        const ask = async () => {
            if (document.hidden) {
                document.addEventListener("visibilitychange", ask, {once: true});
                return;
            }
            try {
                const response = await fetch(panel.dataset.url, {redirect: "error", headers: {Accept: "application/json"}});
                if (!response.ok) {
                    throw new Error(response.statusText);
                }
                const answer = await response.json();
                failures = 0;
                if (answer.status !== "counting") {
                    window.location.replace(window.location.href.split("#")[0]);
                    return;
                }
                if (bar) {
                    bar.max = answer.people || 1;
                    bar.value = answer.done;
                }
                if (words && words.textContent !== answer.words) {
                    words.textContent = answer.words;
                }
                later(pause);
            } catch {
                failures += 1;
                if (failures === 3 && words) {
                    words.textContent = panel.dataset.signedOut;
                }
                later(Math.min(30000, 2 ** failures * 1000));
            }
        };
        later(pause);
    }
}
