"use strict";
// What is typed is kept every few seconds: by the server, and in this browser until the server has it. Tells who else
// writes the same campaign, and loses nothing when somebody is signed out. The page works without it.
// A form without an address to keep it at (kept_here.html) is kept in this browser alone.
{
    const KEEP_AFTER = 2000; // milliseconds after the last key
    const LOOK_EACH = 10000; // milliseconds between looks at who else is there
    const place = document.getElementById("drafts");
    if (place) {
        const form = place.closest("form");
        const name = `draft:${place.dataset.keeper}`;
        const words = document.getElementById("draft-words").content;
        const trouble = document.getElementById("draft-trouble");
        const said = document.getElementById("draft-said");
        const company = document.getElementById("company");
        let version = place.dataset.version;
        let timer = 0;
        let sending = false;
        let changed = false;
        let leaving = false;
        let stopped = false; // another window's text has to be looked at first

        // --- this browser ------------------------------------------------------------------------------------------

        const SKIPPED = new Set(["csrfmiddlewaretoken", "number"]);
        const entries = () => [...new FormData(form).entries()]
            .filter(([key, value]) => typeof value === "string" && !SKIPPED.has(key) && !key.startsWith("_"));
        const same = (one, other) => JSON.stringify(one.filter(([key]) => key !== "version")) === JSON.stringify(other.filter(([key]) => key !== "version"));
        const begun = entries();
        // Whether nothing was written, even before this script was there. A form that was refused holds what was.
        const isRefused = Boolean(form.querySelector(".errornote, .errorlist"));
        const written = () => [...form.elements]
            .filter((field) => (field.options || field.defaultValue !== undefined) && field.type !== "hidden" && !isUntouched(field));
        const isBlank = () => !isRefused && written().length === 0;
        // What the browser itself fills in again after a reload, without the rows that were added.
        const isPartOf = (copy) => written().every((field) => (field.type === "checkbox" && !field.checked
            ? !copy.some(([key]) => key === field.name)
            : copy.some(([key, value]) => key === field.name && value === field.value)));
        function usualValues(field) {
            if (field.type === "checkbox") {
                return field.defaultChecked ? [field.value] : [];
            }
            if (field.options) {
                const usual = [...field.options].filter((one) => one.defaultSelected);
                return (usual.length || field.multiple ? usual : [...field.options].slice(0, 1)).map((one) => one.value);
            }
            return field.defaultValue === undefined ? [] : [field.defaultValue];
        }
        function isUntouched(field) {
            if (field.type === "checkbox") {
                return field.checked === field.defaultChecked;
            }
            const values = field.options ? [...field.selectedOptions].map((one) => one.value) : [field.value];
            return JSON.stringify(values) === JSON.stringify(usualValues(field));
        }

        const labels = () => Object.fromEntries([...form.querySelectorAll("select[multiple]")]
            .map((select) => [select.name, Object.fromEntries([...select.selectedOptions].map((one) => [one.value, one.text]))]));

        // `submitted`: a page that says that it is saved (ui.js) makes an end of it.
        const remember = (submitted = false) => {
            try {
                window.localStorage.setItem(name, JSON.stringify({entries: entries(), labels: labels(), submitted, base}));
            } catch {
                // full, or not allowed: the server keeps it
            }
        };
        const forget = () => {
            try {
                window.localStorage.removeItem(name);
            } catch {
                // was never there
            }
        };
        const remembered = () => {
            try {
                return JSON.parse(window.localStorage.getItem(name));
            } catch {
                return null;
            }
        };
        const kept = remembered(); // before anything that happens on this page is remembered
        // What stood here before anything was written. A refused form does not show that any more.
        const stood = [...form.elements].filter((field) => field.name && !SKIPPED.has(field.name) && field.name !== "nonce")
            .flatMap((field) => usualValues(field).map((value) => [field.name, value]));
        const base = isRefused && kept?.base ? kept.base : stood;
        let isOffered = !kept; // before that nothing takes the place of the copy

        // Rows that can be added to a form, of which the page knows how many there are and what each is stored as.
        const ofARow = (key) => /-\d+-/.test(key);
        const isOwn = (element) => /-(TOTAL|INITIAL|MIN_NUM|MAX_NUM)_FORMS$/.test(element.name) || (element.type === "hidden" && ofARow(element.name));

        function addRows(all) {
            for (const [key, [wanted]] of [...all].filter(([name]) => name.endsWith("-TOTAL_FORMS"))) {
                const add = document.querySelector(`#${key.replace("-TOTAL_FORMS", "-group")} .add-row a`);
                for (let row = Number(form.elements[key]?.value); add && row < Number(wanted); row += 1) {
                    add.click();
                }
            }
        }

        function fillIn(kept, names = {}) {
            const all = new Map();
            kept.forEach(([key, value]) => all.set(key, [...(all.get(key) ?? []), value]));
            addRows(all);
            const many = all.get("texts-language") ?? [];
            const texts = Object.fromEntries(many.map((language, at) => [language, all.get("texts-body")?.[at] ?? ""]).filter(([language]) => language));
            for (const element of form.elements) {
                const values = all.get(element.name);
                if (!element.name || SKIPPED.has(element.name) || element.name.startsWith("_") || element.name === "version" || isOwn(element)
                    || (form.putTexts && element.name.startsWith("texts-"))) {
                    continue;
                }
                if (element.type === "checkbox") {
                    element.checked = Boolean(values?.includes(element.value));
                } else if (element.multiple) {
                    const there = new Set([...element.options].map((option) => option.value));
                    (values ?? []).filter((value) => !there.has(value)).forEach((value) => {
                        element.add(new Option(names[element.name]?.[value] ?? value, value));
                    });
                    [...element.options].forEach((option) => { option.selected = Boolean(values?.includes(option.value)); });
                } else if (values && element.type !== "submit" && element.type !== "button") {
                    element.value = values[0];
                } else if (ofARow(element.name)) { // added since
                    element.value = "";
                }
            }
            window.django?.jQuery(form).find("select").trigger("change.select2");
            if (form.putTexts) {
                form.putTexts(form, {body: all.get("body")?.[0] ?? "", texts});
            } else { // whoever counts characters or reads a number hears of it
                form.querySelectorAll("input:not([type=hidden]), textarea").forEach((field) => {
                    field.dispatchEvent(new Event("input", {bubbles: true}));
                });
            }
        }

        // Sent again as it was, it goes out once even if the first time had come through unseen. Another text is another.
        function mindTheNonce(shown) {
            const fresh = shown.find(([key]) => key === "nonce")?.[1];
            if (fresh) {
                form.addEventListener("input", () => { form.elements.nonce.value = fresh; }, {capture: true, once: true});
            }
        }

        function tell(which, change) {
            const line = words.querySelector(`[data-word="${which}"]`).cloneNode(true);
            line.className = "warning";
            change?.(line);
            trouble.replaceChildren(line);
            return line;
        }

        // --- the server --------------------------------------------------------------------------------------------

        const package_ = (typed) => {
            const data = new FormData(form);
            data.set("draft_version", version);
            if (typed) {
                data.set("typed", "1");
            }
            return data;
        };

        async function post(data, options) {
            return fetch(place.dataset.url, {
                method: "POST", body: data, redirect: "manual", headers: {"X-CSRFToken": data.get("csrfmiddlewaretoken")}, ...options,
            });
        }

        // After signing in in another tab this page's token is an old one: the new one stands in any page.
        async function renewToken() {
            const page = await fetch(window.location.href, {redirect: "manual"});
            if (!page.ok) {
                return false;
            }
            const fresh = new DOMParser().parseFromString(await page.text(), "text/html").querySelector("[name=csrfmiddlewaretoken]");
            if (!fresh) {
                return false;
            }
            document.querySelectorAll("[name=csrfmiddlewaretoken]").forEach((field) => { field.value = fresh.value; });
            return true;
        }

        async function keep() {
            if (sending || stopped || leaving || !place.dataset.url) {
                return;
            }
            sending = true;
            const typed = changed;
            const sent = entries();
            try {
                let response = await post(package_(typed));
                if (response.status === 403 && await renewToken()) {
                    response = await post(package_(typed));
                }
                if (response.type === "opaqueredirect" || response.status === 403) {
                    tell("signed_out");
                } else if (response.status === 409 || response.status === 413) {
                    refused(await response.json());
                } else if (!response.ok) {
                    throw new Error(response.statusText);
                } else {
                    taken(await response.json(), typed, sent);
                }
            } catch {
                if (!leaving && typed) {
                    tell("offline");
                }
            }
            sending = false;
        }

        function taken(answer, typed, sent) {
            if (trouble.querySelector("[data-word=signed_out], [data-word=offline]")) {
                trouble.replaceChildren();
            }
            if (typed) {
                version = answer.draft_version;
                changed = !same(sent, entries());
                said.textContent = answer.said;
                if (!changed) {
                    forget();
                }
            }
            if (answer.company !== undefined && company.innerHTML.trim() !== answer.company.trim()) {
                company.innerHTML = answer.company;
            }
        }

        function refused(answer) {
            stopped = true;
            const line = tell("overtaken", (one) => {
                one.querySelector("[data-problem]").textContent = answer.problem;
                if (answer.text === undefined) {
                    one.querySelectorAll("button").forEach((button) => button.remove());
                }
            });
            if (answer.text) {
                const other = document.createElement("p");
                other.className = "bubble theirs";
                other.textContent = answer.text;
                line.append(other);
            }
            line.addEventListener("click", (event) => {
                if (event.target.matches("[data-keep-mine], [data-take-other]")) {
                    stopped = false;
                    version = answer.draft_version;
                    trouble.replaceChildren();
                    if (event.target.matches("[data-take-other]")) {
                        form.elements.body.value = answer.text;
                        form.elements.body.dispatchEvent(new Event("input", {bubbles: true}));
                    }
                    changed = true;
                    keep();
                }
            });
        }

        // --- when ---------------------------------------------------------------------------------------------------

        const touched = () => {
            if (!isOffered) {
                changed = true;
                return;
            }
            if (!place.dataset.url && isBlank()) {
                forget(); // taken back by hand
                return;
            }
            if (place.dataset.url && same(begun, entries()) && !changed && version === "0") {
                return;
            }
            changed = true;
            remember();
            window.clearTimeout(timer);
            timer = window.setTimeout(keep, KEEP_AFTER);
        };
        form.addEventListener("input", (event) => {
            if (event.target.id !== "preview-number") {
                touched();
            }
        });
        form.addEventListener("change", touched);
        window.addEventListener("load", () => {
            window.django?.jQuery(form).on("change", "select", touched);
        });
        form.addEventListener("submit", (event) => {
            leaving = true;
            window.clearTimeout(timer);
            if (event.submitter?.hasAttribute("formaction")) { // thrown away
                forget();
                return;
            }
            if (!place.dataset.url && isBlank() && !remembered()) {
                return;
            }
            remember(true);
        });
        window.addEventListener("pageshow", () => { leaving = false; });
        window.addEventListener("pagehide", () => {
            if (place.dataset.url && changed && !leaving && !stopped) {
                leaving = true;
                post(package_(true), {keepalive: true}).catch(() => {});
            }
        });
        window.setInterval(() => {
            if (!document.hidden && (changed || !place.dataset.keeper.endsWith(":new"))) {
                keep();
            }
        }, LOOK_EACH);

        // --- what this browser has and the page has not ---------------------------------------------------------------

        // A page that somebody has saved since is not overwritten unasked; nor is what was written while it was loading.
        const isAsItWas = () => Boolean(place.dataset.url)
            || (isPartOf(kept.entries) && (!kept.base || same(kept.base, stood)));

        function offer() {
            if (same(kept.entries, entries()) || isRefused) {
                if (place.dataset.url) { // else a refused form is all that holds it
                    forget();
                }
                return;
            }
            const shown = entries();
            const fill = () => {
                fillIn(kept.entries, kept.labels);
                mindTheNonce(shown);
                const line = tell("restored");
                line.querySelector("[data-undo-restore]").addEventListener("click", () => {
                    fillIn(shown);
                    forget();
                    trouble.replaceChildren();
                });
                changed = true;
            };
            if (isAsItWas()) {
                fill();
                return;
            }
            const line = tell("older");
            line.querySelector("[data-undo-restore]").addEventListener("click", () => {
                forget();
                trouble.replaceChildren();
            });
            line.querySelector("[data-restore]").addEventListener("click", () => {
                fill();
                touched();
            });
        }
        function restore() {
            if (kept) {
                offer();
                isOffered = true;
                if (changed) {
                    touched();
                }
            }
        }
        // After what the admin's own scripts do once the page is there: rows can be added only then.
        window.addEventListener("load", () => (window.django ? window.django.jQuery(restore) : restore()));
    }
}
