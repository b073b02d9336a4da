"use strict";
// A page for the printer: with everything that is folded away on the screen.
{
    document.querySelectorAll("[data-print]").forEach((button) => {
        button.hidden = false;
        button.addEventListener("click", () => window.print());
    });
    let opened = [];
    window.addEventListener("beforeprint", () => {
        opened = [...document.querySelectorAll("main details:not([open])")];
        opened.forEach((details) => { details.open = true; });
    });
    window.addEventListener("afterprint", () => {
        opened.forEach((details) => { details.open = false; });
    });
}
