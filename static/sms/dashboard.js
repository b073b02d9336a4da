"use strict";
// Keeps the start page fresh: from time to time, and only while somebody looks at it.
{
    const board = document.getElementById("dashboard");
    const seconds = Number(board?.dataset.seconds);
    let timer = 0;
    let failures = 0;

    const later = () => {
        window.clearTimeout(timer);
        timer = window.setTimeout(ask, Math.min(600, seconds * 2 ** failures) * 1000);
    };
    const show = (html) => {
        const opened = [...board.querySelectorAll("details")].map((one) => one.open);
        const place = document.activeElement?.closest("#dashboard a")?.getAttribute("href");
        board.innerHTML = html;
        board.querySelectorAll("details").forEach((one, index) => { one.open = opened[index] ?? false; });
        board.dispatchEvent(new Event("renewed"));
        // Whoever goes through the links by keyboard goes on from the same one.
        [...board.querySelectorAll("a")].find((link) => place && link.getAttribute("href") === place)?.focus({preventScroll: true});
    };
    const complain = () => {
        const words = document.createElement("p");
        words.className = "warning";
        words.setAttribute("role", "status");
        words.textContent = board.dataset.lost;
        board.prepend(words);
    };
    const ask = async () => {
        if (document.hidden) {
            document.addEventListener("visibilitychange", ask, {once: true});
            return;
        }
        try {
            const response = await fetch(board.dataset.url, {redirect: "error", headers: {Accept: "application/json"}});
            if (!response.ok) {
                throw new Error(response.statusText);
            }
            show((await response.json()).html);
            failures = 0;
        } catch {
            failures += 1;
            if (failures === 2) {
                complain();
            }
        }
        later();
    };
    if (seconds) {
        later();
    }
}
