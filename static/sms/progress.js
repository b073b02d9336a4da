"use strict";
// Keeps the figures of a campaign's page fresh while it is being sent.
{
    const panel = document.getElementById("progress");
    if (panel && Number(panel.dataset.seconds)) {
        let failures = 0;
        const later = (seconds) => window.setTimeout(ask, seconds * 1000);
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
                if (answer.status !== panel.dataset.status) {
                    window.location.reload(); // other buttons, other notices
                    return;
                }
                if (panel.innerHTML !== answer.html) {
                    panel.innerHTML = answer.html;
                }
                if (answer.seconds) {
                    later(answer.seconds);
                }
            } catch {
                failures += 1;
                if (failures === 3) {
                    const words = document.createElement("p");
                    words.className = "warning";
                    words.textContent = panel.dataset.signedOut;
                    panel.prepend(words);
                }
                later(Math.min(60, 2 ** failures * 2));
            }
        };
        later(Number(panel.dataset.seconds));
    }
}
