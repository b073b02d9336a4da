"use strict";
// Names for what Django's widgets make without one, for those who cannot see what stands beside it.
{
    const textOf = (element) => element?.textContent.trim().replace(/:$/, "") ?? "";

    // Select2 puts its box behind the list of choices that it stands for, and builds it anew with every choice.
    const nameBox = (box) => {
        const select = box.previousElementSibling;
        const name = textOf(select?.labels?.[0]) || select?.getAttribute("aria-label")
            || textOf(box.closest(".form-row")?.querySelector("label, legend"))
            || textOf(box.closest("details")?.querySelector("summary"));
        if (!name) {
            return;
        }
        box.querySelectorAll(".select2-search__field, [role=combobox], [role=textbox]").forEach((field) => {
            if (field.getAttribute("aria-label") !== name) {
                field.setAttribute("aria-label", name);
            }
        });
        box.querySelectorAll(".select2-selection--single[aria-labelledby]").forEach((field) => {
            field.setAttribute("aria-describedby", field.getAttribute("aria-labelledby"));
            field.removeAttribute("aria-labelledby");
        });
        // What was chosen stands in a list that also holds the button which empties it: no list for ears, then.
        box.querySelectorAll("ul.select2-selection__rendered, ul.select2-selection__rendered > li").forEach((part) => {
            part.setAttribute("role", "presentation");
        });
    };

    const boxes = () => document.querySelectorAll("select + .select2-container");

    // Tables of a form: each field is called as the head of its column.
    const nameTables = () => {
        document.querySelectorAll(".inline-group .tabular tbody td").forEach((cell) => {
            const head = textOf(cell.closest("table").tHead?.rows[0].cells[cell.cellIndex]);
            cell.querySelectorAll("input, select, textarea").forEach((field) => {
                if (head && field.type !== "hidden" && !field.labels?.length && !field.hasAttribute("aria-label")) {
                    field.setAttribute("aria-label", head);
                }
            });
        });
    };

    const nameAll = () => {
        boxes().forEach(nameBox);
        nameTables();
        document.querySelectorAll(".datetime input:not([aria-label])").forEach((field) => {
            field.setAttribute("aria-label", field.previousSibling?.textContent.trim() ?? "");
        });
        document.querySelectorAll(".help-tooltip[aria-label]:not([role])").forEach((sign) => {
            sign.setAttribute("role", "img");
        });
    };

    window.addEventListener("load", () => {
        window.setTimeout(() => {
            nameAll();
            boxes().forEach((box) => {
                new MutationObserver(() => nameBox(box)).observe(box, { childList: true, subtree: true });
            });
        });
    });
    document.addEventListener("formset:added", () => window.setTimeout(nameAll));
    // The field in which one searches among the choices is made when they are opened.
    document.addEventListener("focusin", (event) => {
        if (event.target.matches?.(".select2-search--dropdown .select2-search__field")) {
            const open = document.querySelector(".select2-container--open [role=combobox]");
            event.target.setAttribute("aria-label", open?.getAttribute("aria-label") ?? "");
        }
    });
}
