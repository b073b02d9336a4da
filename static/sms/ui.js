"use strict";
// Courtesies: pages work without them.
{
    // A form that does something is sent once; the server would refuse the second time anyway.
    document.querySelectorAll("form[data-once]").forEach((form) => {
        form.addEventListener("submit", () => {
            window.setTimeout(() => form.querySelectorAll("button[type=submit]").forEach((b) => { b.disabled = true; }));
        });
    });
    // Coming back by the back button finds the buttons usable again.
    window.addEventListener("pageshow", () => {
        document.querySelectorAll("form[data-once] button[type=submit]").forEach((b) => { b.disabled = false; });
    });
    // Fields that Django's widgets add without a name, for those who cannot see what stands beside them.
    window.addEventListener("load", () => {
        document.querySelectorAll(".form-row .select2-search__field").forEach((field) => {
            field.setAttribute("aria-label", field.closest(".form-row").querySelector("label")?.textContent.trim() ?? "");
        });
        document.querySelectorAll(".datetime input:not([aria-label])").forEach((field) => {
            field.setAttribute("aria-label", field.previousSibling?.textContent.trim() ?? "");
        });
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
