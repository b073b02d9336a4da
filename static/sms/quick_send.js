"use strict";
// Says below the field which number will be written to.
{
    const hint = document.getElementById("number-hint");
    const field = document.getElementById("id_phone");
    field.closest(".form-row").append(hint);
    let timer = 0;
    const ask = async () => {
        const typed = field.value.trim();
        if (typed.length < 5) {
            hint.textContent = "";
            return;
        }
        try {
            const response = await fetch(`${hint.dataset.url}?phone=${encodeURIComponent(typed)}`, {redirect: "error"});
            const answer = await response.json();
            if (field.value.trim() === typed) {
                hint.textContent = answer.e164 ? hint.dataset.words.replace("{number}", answer.e164) : answer.problem;
            }
        } catch {
            hint.textContent = "";
        }
    };
    field.addEventListener("input", () => {
        window.clearTimeout(timer);
        timer = window.setTimeout(ask, 300);
    });
    ask();
}
