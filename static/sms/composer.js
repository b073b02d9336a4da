"use strict";
// While a text is written: its count at once, then what the server says of it for the people chosen; costly characters
// marked in place and replaced; placeholders put in; real people's phones. The page works without it.
{
    const ASK_AFTER = 400; // milliseconds without typing
    const panel = document.getElementById("writing");
    const known = panel ? JSON.parse(panel.dataset.known) : {texts: [], values: null};
    const words = document.getElementById("composer-words");
    const lines = {
        plain: document.getElementById("segment-words"),
        longest: document.getElementById("segment-words-longest"),
    };
    let last = null; // the text that was written in last

    const word = (name) => words?.content.querySelector(`[data-word="${name}"]`)?.textContent ?? "";
    const fill = (template, values) => template.replace(/\{(\w+)\}/g, (_, name) => values[name]);

    // Through the editor's own command, so that Ctrl+Z takes it back; by hand where there is none.
    function write(textarea, text, start, end) {
        textarea.focus();
        textarea.setSelectionRange(start, end);
        if (!document.execCommand("insertText", false, text)) {
            textarea.setRangeText(text, start, end, "end");
            textarea.dispatchEvent(new Event("input", {bubbles: true}));
        }
    }

    function replaceWhole(textarea, text) {
        if (text === textarea.value) {
            return;
        }
        write(textarea, text, 0, textarea.value.length);
        if (textarea.value !== text) { // an empty text is no insertion
            textarea.value = text;
            textarea.dispatchEvent(new Event("input", {bubbles: true}));
        }
    }

    // --- one text -------------------------------------------------------------------------------------------------

    function compose(textarea) {
        const frame = document.createElement("div");
        frame.className = "composer";
        const marks = document.createElement("div");
        marks.className = "marks";
        marks.setAttribute("aria-hidden", "true");
        textarea.before(frame);
        frame.append(marks, textarea);
        const line = document.createElement("p");
        line.className = "segment-count";
        line.id = textarea.dataset.segments;
        line.setAttribute("aria-live", "polite");
        frame.after(line);
        textarea.setAttribute("aria-describedby", `${textarea.getAttribute("aria-describedby") ?? ""} ${line.id}`.trim());

        const button = panel || !words ? null : replaceButton(textarea, line);
        const show = () => {
            const costly = window.smsTexts.costlyIn(textarea.value);
            mark(marks, textarea, worthMarking(costly) ? costly : []);
            line.textContent = sentence(textarea);
            if (button) {
                button.hidden = !worthMarking(costly) || !costly.some((one) => one.replacement !== null);
            }
        };
        textarea.addEventListener("input", show);
        textarea.addEventListener("focus", () => { last = textarea; });
        textarea.addEventListener("scroll", () => { marks.scrollTop = textarea.scrollTop; });
        new ResizeObserver(() => { marks.style.height = `${textarea.clientHeight}px`; }).observe(textarea);
        textarea.recount = show;
        show();
    }

    // Where no server is asked: one button for all of them.
    function replaceButton(textarea, line) {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "button small";
        button.textContent = word("replace");
        button.addEventListener("click", () => {
            replaceWhole(textarea, window.smsTexts.withReplacements(textarea.value, window.GSM_REPLACEMENTS));
        });
        line.after(button);
        return button;
    }

    // In a text of another alphabet a dash or a quotation mark costs nothing.
    function worthMarking(costly) {
        return costly.filter((one) => one.replacement === null).length <= 5;
    }

    function mark(marks, textarea, costly) {
        const places = costly.flatMap((one) => one.positions.map((at) => [at, at + one.character.length])).sort((a, b) => a[0] - b[0]);
        const parts = [];
        let position = 0;
        for (const [start, end] of places) {
            const marked = document.createElement("mark");
            marked.textContent = textarea.value.slice(start, end);
            parts.push(textarea.value.slice(position, start), marked);
            position = end;
        }
        marks.replaceChildren(...parts, `${textarea.value.slice(position)}\n`);
        marks.scrollTop = textarea.scrollTop;
    }

    function sentence(textarea) {
        const body = textarea.value;
        const asked = known.texts.find((one) => one.body === body && one.count);
        if (asked) {
            return fill(lines.longest.content.textContent, asked.count);
        }
        const rendered = known.values && Object.keys(known.values).length ? window.smsTexts.render(body, known.values) : null;
        const template = rendered && lines.longest ? lines.longest : lines.plain;
        return fill(template.content.textContent, window.countSegments(rendered ? rendered.text : body));
    }

    const textareas = [...document.querySelectorAll("textarea[data-segments]")];
    textareas.forEach(compose);
    last = textareas[0] ?? null;

    // --- what the server says of it -------------------------------------------------------------------------------

    if (panel) {
        const form = panel.closest("form");
        const shown = document.getElementById("writing-panel");
        document.querySelector(".field-body")?.after(panel);
        panel.classList.add("live");
        let timer = 0;
        let running = null;
        let who = "";

        const ask = async () => {
            running?.abort();
            running = new AbortController();
            const data = new FormData(form);
            data.set("who", who);
            try {
                const response = await fetch(panel.dataset.url, {
                    method: "POST", body: data, redirect: "error", signal: running.signal,
                    headers: {"X-CSRFToken": data.get("csrfmiddlewaretoken")},
                });
                if (!response.ok) {
                    return; // drafts.js tells what is wrong
                }
                const answer = await response.json();
                Object.assign(known, {texts: answer.texts, values: answer.values});
                swap(answer.html);
                textareas.forEach((textarea) => textarea.recount());
            } catch {
                // asked again with the next key
            }
        };
        const later = () => {
            window.clearTimeout(timer);
            timer = window.setTimeout(ask, ASK_AFTER);
        };

        // Whoever stands on a button of the panel keeps standing on it.
        function swap(html) {
            const active = shown.contains(document.activeElement) ? {...document.activeElement.dataset} : null;
            shown.innerHTML = html;
            if (active) {
                const same = [...shown.querySelectorAll("button")].find((button) => JSON.stringify({...button.dataset}) === JSON.stringify(active));
                (same ?? last)?.focus();
            }
        }

        const textareaOf = (language) => {
            if (!language) {
                return form.elements.body;
            }
            const rows = [...form.querySelectorAll(".language-text")];
            const row = rows.find((one) => tagOf(one.querySelector("input").value) === language);
            return row?.querySelector("textarea") ?? form.elements.body;
        };
        const tagOf = (language) => language.replaceAll("_", "-").split(/\s+/).join("").toLowerCase();

        const done = (said, undo) => {
            const line = document.createElement("p");
            line.className = "undo";
            line.setAttribute("role", "status");
            const button = document.createElement("button");
            button.type = "button";
            button.className = "button small";
            button.textContent = word("undo");
            button.addEventListener("click", () => {
                undo();
                line.remove();
            });
            panel.querySelector(".undo")?.remove();
            panel.prepend(line);
            line.append(`${said} `, button);
        };

        const replace = (character, language) => {
            const textarea = textareaOf(language);
            const before = textarea.value;
            const wanted = window.smsTexts.costlyIn(before).filter((one) => one.replacement !== null && (character === "all" || one.character === character));
            replaceWhole(textarea, window.smsTexts.withReplacements(before, Object.fromEntries(wanted.map((one) => [one.character, one.replacement]))));
            done(word("replaced"), () => replaceWhole(textarea, before));
        };

        const insert = (text) => write(last ?? form.elements.body, text, last.selectionStart, last.selectionEnd);

        const rename = (name, to) => {
            for (const textarea of textareas) {
                const text = textarea.value.replace(/\{\{([^}|]*)/g, (tag, found) => (window.smsTexts.normaliseName(found) === name ? `{{ ${to} ` : tag));
                replaceWhole(textarea, text);
            }
        };

        panel.addEventListener("click", (event) => {
            const button = event.target.closest("button");
            if (!button) {
                return;
            }
            const {replace: character, insert: text, rename: name, to, language} = button.dataset;
            if (character) {
                replace(character, language);
            } else if (text) {
                insert(text);
            } else if (name) {
                rename(name, to);
            } else if (button.name === "_check") {
                event.preventDefault();
                who = button.value;
                panel.querySelectorAll("[name=_check]").forEach((one) => one.setAttribute("aria-pressed", String(one === button)));
                ask();
            }
        });
        document.getElementById("preview-number")?.addEventListener("keydown", (event) => {
            if (event.key === "Enter") {
                event.preventDefault();
                who = "number";
                ask();
            }
        });

        form.addEventListener("input", (event) => {
            if (event.target.matches("textarea[data-segments], .language-text input, #id_gateway, #id_sender_id")) {
                later();
            }
        });
        // select2 tells only jQuery of what is chosen.
        window.addEventListener("load", () => {
            window.django?.jQuery("#id_include_groups, #id_exclude_groups, #id_gateway").on("change", later);
        });

        // --- templates ----------------------------------------------------------------------------------------------

        form.querySelector("[name=_use_template]")?.addEventListener("click", async (event) => {
            const chosen = form.elements.template.value;
            event.preventDefault();
            if (!chosen) {
                return;
            }
            const response = await fetch(panel.dataset.templateUrl.replace("/0/", `/${chosen}/`), {redirect: "error"});
            if (!response.ok) {
                return;
            }
            const texts = await response.json();
            const before = {body: form.elements.body.value, texts: textsIn(form)};
            putIn(form, texts);
            done(word("filled"), () => putIn(form, before));
        });
        const open = form.querySelector(".language-texts")?.closest("details");
        if (open && [...form.querySelectorAll(".language-text textarea")].some((one) => one.value)) {
            open.open = true;
        }
        if (form.elements.body.value && !known.texts.length) {
            ask();
        }
        form.askAgain = later;

        function addRow(language, text) {
            const rows = form.querySelectorAll(".language-text");
            const row = rows[rows.length - 1].cloneNode(true);
            row.querySelector(".segment-count")?.remove();
            row.querySelector(".marks")?.remove();
            const textarea = row.querySelector("textarea");
            row.querySelector(".composer")?.replaceWith(textarea);
            textarea.dataset.segments = `segment-count-${rows.length + 2}`;
            textarea.removeAttribute("aria-describedby");
            row.querySelector("input").value = language;
            textarea.value = text;
            rows[rows.length - 1].after(row);
            textareas.push(textarea);
            compose(textarea);
        }

        function textsIn(inForm) {
            return Object.fromEntries([...inForm.querySelectorAll(".language-text")]
                .map((row) => [row.querySelector("input").value, row.querySelector("textarea").value]).filter(([language]) => language));
        }

        function putIn(inForm, {body, texts}) {
            replaceWhole(inForm.elements.body, body);
            inForm.querySelectorAll(".language-text").forEach((row) => {
                row.querySelector("input").value = "";
                row.querySelector("textarea").value = "";
            });
            Object.entries(texts).forEach(([language, text]) => {
                const free = [...inForm.querySelectorAll(".language-text")].find((row) => !row.querySelector("input").value && !row.querySelector("textarea").value);
                if (free) {
                    free.querySelector("input").value = language;
                    free.querySelector("textarea").value = text;
                } else {
                    addRow(language, text);
                }
            });
            textareas.forEach((textarea) => textarea.recount());
            inForm.dispatchEvent(new Event("input"));
            later();
        }
        form.putTexts = putIn;
    }
}
