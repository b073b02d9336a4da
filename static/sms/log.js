"use strict";
document.addEventListener("DOMContentLoaded", () => {
    const form = document.querySelector("#log-filters");
    if (!form) {
        return;
    }
    // On a phone the messages come first; what is set stands above them.
    if (window.matchMedia("(max-width: 767px)").matches) {
        form.querySelector("details").removeAttribute("open");
    }
    // Fields that ask for nothing are left out of the address.
    form.addEventListener("submit", () => {
        const fields = [...form.elements].filter((field) => field.name && !field.value);
        fields.forEach((field) => { field.disabled = true; });
        // Coming back by the back button finds them usable again.
        window.addEventListener("pageshow", () => fields.forEach((field) => { field.disabled = false; }));
    });
});
