"use strict";
// Makes a form of the conditions in a text area, and asks who meets them. The text area is what is sent.
{
    const area = document.querySelector("textarea[data-conditions]");
    const data = document.getElementById("conditions-vocabulary");
    const v = data ? JSON.parse(data.textContent) : null;
    const counted = document.getElementById("counted");

    const make = (tag, attributes = {}, ...children) => {
        const node = document.createElement(tag);
        Object.entries(attributes).forEach(([name, value]) => {
            if (name === "text") {
                node.textContent = value;
            } else if (value !== false && value !== null) {
                node.setAttribute(name, value === true ? "" : value);
            }
        });
        node.append(...children);
        return node;
    };
    const select = (label, choices, chosen, change) => {
        const node = make("select", {"aria-label": label});
        choices.forEach(([value, text]) => node.append(make("option", {value, text})));
        const wanted = chosen === null || chosen === undefined ? "" : String(chosen);
        if (![...node.options].some((option) => option.value === wanted)) {
            node.prepend(make("option", {value: "", text: v.words.choose}));
        }
        node.value = [...node.options].some((option) => option.value === wanted) ? wanted : "";
        node.addEventListener("change", () => change(node.value, node));
        return node;
    };
    const input = (label, type, value, change, more = {}) => {
        const node = make("input", {type, "aria-label": label, value: value ?? "", ...more});
        node.addEventListener("input", () => change(node.value));
        return node;
    };
    const button = (text, className, click, more = {}) => {
        const node = make("button", {type: "button", class: `button ${className}`, text, ...more});
        node.addEventListener("click", click);
        return node;
    };

    const ANOTHER = "\u0000another";
    const fieldOf = (on) => v.on.find((field) => field.value === on);
    const comparisons = (condition) => {
        if (condition.on === "attribute") {
            return v.kinds[condition.kind || "text"];
        }
        return condition.on ? fieldOf(condition.on).is : [];
    };
    const blank = () => ({on: "", is: ""});
    const newBlock = () => ({combine: "any", parts: [blank()]});

    class Builder {
        constructor(root, stored) {
            this.root = root;
            this.match = stored.match;
            if (this.match.parts.length === 0) {
                this.match.parts.push(blank());
            }
            this.draw();
        }

        // `focus`: a function that finds, in what was drawn anew, where the keyboard goes on.
        draw(focus = null) {
            this.number = 0;
            this.root.replaceChildren(this.block(this.match, null));
            this.save();
            if (focus) {
                focus()?.focus();
            }
        }

        save() {
            area.value = JSON.stringify({version: 1, match: this.match});
            area.dispatchEvent(new Event("change"));
        }

        block(block, parent) {
            const head = make("div", {class: "block-head"},
                select(v.words.combine, v.combine, block.combine, (value) => { block.combine = value; this.save(); }));
            if (parent) {
                head.append(button(v.words.remove_block, "quiet remove", () => this.remove(parent, block)));
            }
            const list = make("ol");
            block.parts.forEach((part) => {
                list.append(make("li", {}, "combine" in part ? this.block(part, block) : this.condition(part, block)));
            });
            const depth = (function find(node, level) {
                return node === block ? level : Math.max(0, ...node.parts.filter((p) => p.parts).map((p) => find(p, level + 1)));
            })(this.match, 1);
            const foot = make("div", {class: "block-foot"},
                button(v.words.add, "", () => this.add(block, blank())));
            if (depth < 4) {
                foot.append(button(v.words.add_block, "quiet", () => this.add(block, newBlock())));
            }
            const node = make("fieldset", {class: "block", "aria-label": v.words.block}, head, list, foot);
            node.block = block;
            return node;
        }

        drawn(part) {
            return [...this.root.querySelectorAll("fieldset, .condition")].find((node) => node.block === part);
        }

        add(block, part) {
            block.parts.push(part);
            this.draw(() => this.drawn(part).querySelector("select"));
        }

        remove(block, part) {
            const place = block.parts.indexOf(part);
            block.parts.splice(place, 1);
            const next = block.parts[Math.min(place, block.parts.length - 1)];
            this.draw(() => (next ? this.drawn(next) : this.drawn(block)).querySelector("select, button"));
        }

        // A choice that changes which fields follow. Only these are made anew: whoever chooses by typing, letter by
        // letter, goes on in the same field.
        change(condition, changes, field) {
            Object.assign(condition, changes);
            const row = field.closest(".condition");
            const fresh = this.condition(condition, row.parentBlock, row.number);
            const place = [...row.children].indexOf(field) + 1;
            [...row.children].slice(place).forEach((child) => child.remove());
            row.append(...[...fresh.children].slice(place));
            this.save();
        }

        condition(condition, parent, number = ++this.number) {
            const node = make("div", {class: "condition"});
            Object.assign(node, {block: condition, parentBlock: parent, number});
            node.append(select(v.words.on, v.on.map((field) => [field.value, field.label]), condition.on, (on, field) => {
                Object.keys(condition).forEach((key) => delete condition[key]);
                const kind = on === "attribute" ? {kind: "text", name: ""} : {};
                Object.assign(condition, {on, ...kind});
                this.change(condition, {is: comparisons(condition)[0]?.[0] ?? ""}, field);
            }));
            if (condition.on === "attribute") {
                this.attribute(condition, node);
            }
            if (condition.on) {
                node.append(select(v.words.is, comparisons(condition), condition.is, (is, field) => {
                    const shapes = [condition.is, is].map((it) => this.shape(condition, it));
                    if (shapes[0] !== shapes[1]) {
                        delete condition.value;
                    }
                    this.change(condition, {is}, field);
                }));
                this.value(condition, node);
            }
            const words = v.words.remove_condition.replace("{number}", number);
            node.append(button(v.words.remove, "quiet remove", () => this.remove(parent, condition), {"aria-label": words}));
            return node;
        }

        isKnown(condition) {
            const key = (condition.name || "").toLowerCase();
            return condition.known !== false && v.attributes.some((it) => it.name.toLowerCase() === key);
        }

        attribute(condition, node) {
            const choices = v.attributes.map((it) => [it.name, it.label]);
            const known = this.isKnown(condition);
            const chosen = known ? v.attributes.find((it) => it.name.toLowerCase() === condition.name.toLowerCase()).name : ANOTHER;
            if (choices.length) {
                node.append(select(v.words.name, [...choices, [ANOTHER, v.words.another]], chosen, (name, field) => {
                    const found = v.attributes.find((it) => it.name === name);
                    const kind = found ? found.kind : "text";
                    delete condition.value;
                    this.change(condition, {name: found ? name : "", kind, is: v.kinds[kind][0][0]}, field);
                }));
            }
            if (!known) {
                node.append(
                    input(v.words.name, "text", condition.name, (name) => { condition.name = name; this.save(); }, {placeholder: v.words.name}),
                    select(v.words.kind, v.kind_labels, condition.kind || "text", (kind, field) => {
                        delete condition.value;
                        this.change(condition, {kind, is: v.kinds[kind][0][0]}, field);
                    }));
            }
        }

        shape(condition, is) {
            if (v.without_value.includes(is)) {
                return "nothing";
            }
            if (v.with_days.includes(is)) {
                return "days";
            }
            const shape = fieldOf(condition.on).shape;
            return shape === "attribute" ? condition.kind || "text" : shape;
        }

        value(condition, node) {
            const set = (name) => (value) => { condition[name] = value; this.save(); };
            const whole = (name) => (value) => { condition[name] = value === "" ? null : Number(value); this.save(); };
            const days = (name, label, before = v.words.days_before) => make("span", {class: "days"},
                make("span", {text: before}),
                input(label, "number", condition[name], whole(name), {min: 1, max: 3650, placeholder: name === "days" ? v.words.ever : ""}),
                make("span", {text: v.words.days_short}));
            if (condition.on === "message") {
                condition.became ??= "sent";
                condition.campaign ??= null;
                condition.days ??= null;
                node.append(
                    select(v.words.campaign, [["", v.words.any_campaign], ...v.campaigns], condition.campaign, whole("campaign")),
                    select(v.words.became, v.became, condition.became, set("became")), days("days", v.words.days));
                return;
            }
            if (condition.on === "reply") {
                condition.days ??= null;
                node.append(days("days", v.words.days));
                return;
            }
            const shape = this.shape(condition, condition.is);
            if (shape === "days") {
                const before = {in_next_days: v.words.days_after}[condition.is] ?? v.words.days_before;
                node.append(days("value", v.words.days, before));
            } else if (shape === "groups" || shape === "imports") {
                node.append(select(v.words.value, v[shape], condition.value, whole("value")));
            } else if (shape === "consent") {
                node.append(select(v.words.value, v.consent, condition.value, set("value")));
            } else if (shape !== "nothing") {
                const type = {number: "number", date: "date"}[shape] ?? "text";
                node.append(input(v.words.value, type, condition.value, type === "number" ? whole("value") : set("value"), type === "number" ? {step: "any"} : {}));
            }
        }
    }

    const watch = () => {
        let timer = null;
        let asked = "";
        const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
        const ask = async () => {
            const body = area.value;
            if (body === asked) {
                return;
            }
            asked = body;
            counted.hidden = false;
            counted.classList.add("is-old");
            if (!counted.hasChildNodes()) {
                counted.append(make("p", {class: "quiet", text: v.words.counting}));
            }
            try {
                const response = await fetch(counted.dataset.url, {
                    method: "POST", body, redirect: "error",
                    headers: {"Content-Type": "application/json", "X-CSRFToken": token, Accept: "application/json"},
                });
                if (!response.ok) {
                    throw new Error(response.statusText);
                }
                const answer = await response.json();
                if (asked !== body) {
                    return; // something else was asked meanwhile
                }
                if (answer.problems.length) {
                    const list = make("ul", {class: "problems"});
                    answer.problems.forEach((text) => list.append(make("li", {text})));
                    counted.replaceChildren(list);
                } else {
                    counted.innerHTML = answer.html;
                }
            } catch {
                if (asked === body) {
                    counted.replaceChildren(make("p", {class: "warning", text: v.words.failed}));
                }
            } finally {
                if (asked === body) {
                    counted.classList.remove("is-old");
                }
            }
        };
        area.addEventListener("change", () => {
            window.clearTimeout(timer);
            timer = window.setTimeout(ask, 500);
        });
        ask();
    };

    if (area && v) {
        let stored = null;
        try {
            stored = JSON.parse(area.value);
        } catch {
            stored = null;
        }
        // What the script cannot draw stays as it is, to be mended in the text area.
        if (stored?.version === 1 && Array.isArray(stored.match?.parts)) {
            document.body.classList.add("conditions-on");
            const root = make("div", {class: "conditions"});
            area.after(root);
            new Builder(root, stored);
        }
        if (counted) {
            watch();
        }
    }
}
