"use strict";
// Keeps the figures of a campaign's or an import's page fresh until all is final: one request at a time, none while
// nobody looks.
{
    const panel = document.getElementById("progress");
    const LONGEST_REQUEST = 20; // seconds
    const LONGEST_PAUSE = 60;
    const SAID_EVERY = 10; // to those who hear the page, at most

    const watch = () => {
        const trouble = document.getElementById("progress-trouble");
        const said = document.getElementById("progress-said"); // none where the panel speaks for itself
        const words = document.getElementById("progress-words").content;
        let seconds = Number(panel.dataset.seconds);
        let failures = 0;
        let freshAt = new Date();
        let saidAt = Date.now();
        let timer = null;
        let isAsking = false;

        const later = (delay) => {
            window.clearTimeout(timer);
            timer = window.setTimeout(ask, delay * 1000);
        };

        const complain = (word) => {
            if (trouble.dataset.word === word) {
                return; // said already; an alert is not to be repeated
            }
            const told = words.querySelector(`[data-word=${word}]`).cloneNode(true);
            const since = told.querySelector("[data-since]");
            if (since) {
                since.textContent = freshAt.toLocaleTimeString(document.documentElement.lang || undefined);
            }
            trouble.replaceChildren(told);
            trouble.dataset.word = word;
        };

        const allIsWell = () => {
            failures = 0;
            freshAt = new Date();
            trouble.replaceChildren();
            delete trouble.dataset.word;
        };

        // Whoever has gone to a link by keyboard stays on it.
        const show = (html) => {
            if (panel.innerHTML === html) {
                return;
            }
            const focused = panel.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
            panel.innerHTML = html;
            if (focused) {
                [...panel.querySelectorAll("a:not([tabindex])")].find((a) => a.getAttribute("href") === focused)?.focus();
            }
        };

        const tell = (sentence, isLast) => {
            if (said && sentence !== said.textContent && (isLast || Date.now() - saidAt >= SAID_EVERY * 1000)) {
                said.textContent = sentence;
                saidAt = Date.now();
            }
        };

        const take = (answer) => {
            allIsWell();
            if (answer.status !== panel.dataset.status || (answer.unknown > 0) !== (Number(panel.dataset.unknown) > 0)) {
                window.location.reload(); // other buttons, other notices
                return;
            }
            show(answer.html);
            tell(answer.said, !answer.seconds);
            seconds = answer.seconds;
            if (seconds) {
                later(seconds);
            }
        };

        const ask = async () => {
            window.clearTimeout(timer);
            if (document.hidden || isAsking) {
                return; // asked when somebody looks again
            }
            isAsking = true;
            const giveUp = new AbortController();
            const limit = window.setTimeout(() => giveUp.abort(), LONGEST_REQUEST * 1000);
            try {
                const response = await fetch(panel.dataset.url, {
                    redirect: "manual", signal: giveUp.signal, headers: {Accept: "application/json"},
                });
                if (response.type === "opaqueredirect" || response.status === 401) {
                    complain("signed_out");
                    later(10); // whoever signs in in another tab finds this one going on
                } else if (response.status === 403 || response.status === 404) {
                    complain("forbidden");
                    seconds = 0;
                } else if (response.ok) {
                    take(await response.json());
                } else {
                    throw new Error(response.statusText);
                }
            } catch {
                failures += 1;
                if (failures > 1) {
                    complain("offline");
                }
                later(Math.min(LONGEST_PAUSE, 2 ** failures * 2));
            } finally {
                window.clearTimeout(limit);
                isAsking = false;
            }
        };

        document.addEventListener("visibilitychange", () => {
            if (!document.hidden && seconds) {
                ask();
            }
        });
        later(seconds);
    };

    if (panel && Number(panel.dataset.seconds)) {
        watch();
    }
}
