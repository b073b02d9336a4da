"use strict";
// The search box of every page: "/" goes to it, hits appear below it as one types, arrows choose and Enter opens.
// Without this script Enter leads to the page with everything that was found.
{
    const form = document.querySelector(".site-search");
    const box = form?.querySelector("input[type=search]");
    const hits = form?.querySelector(".search-hits");
    const said = form?.querySelector("#site-search-said");
    const PAUSE = 180;
    const LEAST = 2;
    let timer = 0;
    let asked = null;

    const options = () => [...hits.querySelectorAll("[role=option]")];
    const chosen = () => hits.querySelector("[aria-selected=true]");

    const choose = (option) => {
        chosen()?.setAttribute("aria-selected", "false");
        if (option) {
            option.setAttribute("aria-selected", "true");
            option.scrollIntoView({ block: "nearest" });
            box.setAttribute("aria-activedescendant", option.id);
        } else {
            box.removeAttribute("aria-activedescendant");
        }
    };

    const close = () => {
        window.clearTimeout(timer);
        asked?.abort();
        asked = null;
        choose(null);
        hits.hidden = true;
        said.textContent = "";
        box.setAttribute("aria-expanded", "false");
    };

    const show = (html) => {
        hits.innerHTML = html; // made and escaped by the server
        hits.hidden = false;
        const list = hits.querySelector("[role=listbox]");
        box.setAttribute("aria-expanded", String(Boolean(list)));
        said.textContent = list ? list.dataset.said : form.dataset.saidNone;
    };

    const ask = async () => {
        const term = box.value.trim();
        asked?.abort();
        if (term.length < LEAST) {
            close();
            return;
        }
        const mine = new AbortController();
        asked = mine;
        try {
            const address = `${form.action}?${new URLSearchParams({ q: term, as: "list" })}`;
            const answer = await fetch(address, { signal: mine.signal, redirect: "error" });
            if (answer.ok && asked === mine) {
                const html = await answer.text();
                if (asked === mine) {
                    show(html);
                }
            }
        } catch {
            // away, or signed out: Enter leads to the page, which says so
        }
    };

    const move = (step) => {
        const all = options();
        if (!all.length) {
            return;
        }
        const at = all.indexOf(chosen());
        const next = at + step;
        choose(next < 0 || next >= all.length ? (at < 0 ? all[step > 0 ? 0 : all.length - 1] : null) : all[next]);
    };

    const isWritingIn = (element) =>
        element.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(element.tagName);

    if (box) {
        box.setAttribute("role", "combobox");
        box.setAttribute("aria-autocomplete", "list");
        box.setAttribute("aria-expanded", "false");
        box.setAttribute("aria-controls", hits.id);
        hits.removeAttribute("role");
        box.addEventListener("input", () => {
            choose(null);
            window.clearTimeout(timer);
            timer = window.setTimeout(ask, PAUSE);
        });
        box.addEventListener("keydown", (event) => {
            if (event.isComposing) {
                return;
            }
            if (event.key === "ArrowDown" || event.key === "ArrowUp") {
                event.preventDefault();
                if (hits.hidden) {
                    ask();
                } else {
                    move(event.key === "ArrowDown" ? 1 : -1);
                }
            } else if (event.key === "Enter" && !hits.hidden && chosen()) {
                event.preventDefault();
                window.location.assign(chosen().href);
            } else if (event.key === "Escape") {
                event.preventDefault();
                if (hits.hidden) {
                    box.value = "";
                    box.blur();
                } else {
                    close();
                }
            }
        });
        form.addEventListener("focusout", (event) => {
            if (!form.contains(event.relatedTarget)) {
                close();
            }
        });
        hits.addEventListener("mousedown", (event) => event.preventDefault()); // the box keeps the focus
        document.addEventListener("keydown", (event) => {
            const plain = !(event.ctrlKey || event.metaKey || event.altKey);
            if (event.key === "/" && plain && !isWritingIn(event.target)) {
                event.preventDefault();
                box.focus();
                box.select();
            }
        });
    }
    // The menu of a phone closes as other menus do.
    const menu = document.querySelector("#header details.menu");
    menu?.addEventListener("keydown", (event) => {
        if (event.key === "Escape" && menu.open) {
            menu.open = false;
            menu.querySelector("summary").focus();
        }
    });
}
