"use strict";
// Texts with placeholders. The rules are those of campaigns/composing.py and campaigns/text_check.py; the tests run both
// on the same texts. Touches no page.
{
    const TAG = /\{\{([^]*?)\}\}/g;
    const DEFAULT = /default\s*:\s*(?:"([^"]*)"|'([^']*)'|“([^”]*)”|«([^»]*)»)/d;
    const WHOLE_DEFAULT = new RegExp(`^(?:${DEFAULT.source})$`);

    const BRACES = new Set(["{", "}"]); // two of them would open a placeholder

    function normaliseName(name) {
        return name.trim().split(/\s+/).join("_").toLowerCase().replace(/ß/g, "ss");
    }

    // What travels as written, as [start, end, the mark that ends a default]: all but placeholders, of those the default.
    function literalSpans(body) {
        const spans = [];
        let position = 0;
        for (const tag of body.matchAll(TAG)) {
            spans.push([position, tag.index, ""]);
            const inner = tag.index + 2;
            const found = DEFAULT.exec(tag[1]);
            if (found) {
                const [start, end] = found.indices.slice(1).find((place) => place);
                spans.push([inner + start, inner + end, body[inner + end]]);
            }
            position = tag.index + tag[0].length;
        }
        spans.push([position, body.length, ""]);
        return spans.filter(([start, end]) => start < end);
    }

    function withReplacements(body, replacements) {
        let written = "";
        let position = 0;
        for (const [start, end, closing] of literalSpans(body)) {
            let part = [...body.slice(start, end)]
                .map((character) => (Object.hasOwn(replacements, character) ? replacements[character] : character)).join("");
            if (closing === '"' || closing === "'") { // never the mark that ends the default
                part = part.replaceAll(closing, closing === '"' ? "'" : '"');
            }
            written += body.slice(position, start) + part;
            position = end;
        }
        return written + body.slice(position);
    }

    function costlyIn(body) {
        const found = new Map();
        for (const [start, end] of literalSpans(body)) {
            for (const one of window.costlyCharacters(body.slice(start, end))) {
                const replacement = BRACES.has(one.replacement) ? null : one.replacement;
                const known = found.get(one.character) ?? {...one, replacement, positions: []};
                known.positions.push(...one.positions.map((position) => start + position));
                found.set(one.character, known);
            }
        }
        return [...found.values()];
    }

    // {text, missing}; null when the text is not understood. `values` are keyed by `normaliseName()`.
    function render(body, values) {
        const rest = body.replace(TAG, "\0");
        if (rest.includes("{{") || rest.includes("}}")) {
            return null;
        }
        const missing = [];
        let understood = true;
        const text = body.replace(TAG, (_, content) => {
            const bar = content.indexOf("|");
            const name = normaliseName(bar < 0 ? content : content.slice(0, bar));
            const filter = bar < 0 ? null : WHOLE_DEFAULT.exec(content.slice(bar + 1).trim());
            if (!name || name.includes("{") || (bar >= 0 && !filter)) {
                understood = false;
                return "";
            }
            const value = Object.hasOwn(values, name) ? values[name] : "";
            if (value.trim()) {
                return value;
            }
            if (filter) {
                return filter.slice(1).find((group) => group !== undefined);
            }
            if (!missing.includes(name)) {
                missing.push(name);
            }
            return "";
        });
        return understood ? {text, missing} : null;
    }

    window.smsTexts = {normaliseName, literalSpans, withReplacements, costlyIn, render};
}
