"use strict";
// Courtesies: pages work without them.
{
    // A form that does something is sent once; the server would refuse the second time anyway.
    document.querySelectorAll("form[data-once]").forEach((form) => {
        form.addEventListener("submit", () => {
            window.setTimeout(() => form.querySelectorAll("button[type=submit]").forEach((b) => { b.disabled = true; }));
        });
    });
    // What was typed into a form is kept by the browser until a page says that just that is saved (drafts.js).
    document.querySelectorAll("[class*=saved-by-]").forEach((message) => {
        const name = `draft:${[...message.classList].find((one) => one.startsWith("saved-by-")).replace("saved-by-", "")}`;
        try {
            if (JSON.parse(window.localStorage.getItem(name))?.submitted) {
                window.localStorage.removeItem(name);
            }
        } catch {
            // not allowed: then nothing is kept there either
        }
    });
    // Coming back by the back button finds the buttons usable again.
    window.addEventListener("pageshow", () => {
        document.querySelectorAll("form[data-once] button[type=submit]").forEach((b) => { b.disabled = false; });
    });
    // On a phone the rows of a list become cards: each cell then shows the head of its column.
    document.querySelectorAll("#result_list, table.cardlike").forEach((table) => {
        const heads = [...table.querySelectorAll("thead th")].map((th) => th.textContent.trim());
        table.querySelectorAll("tbody tr").forEach((row) => {
            [...row.children].forEach((cell, index) => {
                if (heads[index] && !cell.classList.contains("action-checkbox")) {
                    cell.dataset.label = heads[index];
                }
            });
        });
        table.classList.add("as-cards");
    });
}
