"use strict";
// What a text costs. The rules are those of sms_backends/segments.py (3GPP TS 23.038 and 23.040): the tests compare the
// alphabets and replacements, and run both on the same texts. Touches no page.
{
    const GSM_BASIC = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
    const GSM_EXTENSION = "\f^{}\\[~]|€";
    const LIMITS = {"GSM-7": [160, 153], "UCS-2": [70, 67]};

    const GSM_REPLACEMENTS = {"\u201c": "\"", "\u201d": "\"", "\u201e": "\"", "\u201f": "\"", "\u00ab": "\"", "\u00bb": "\"", "\u2033": "\"", "\u2036": "\"", "\u301d": "\"", "\u301e": "\"", "\u301f": "\"", "\u275d": "\"", "\u275e": "\"", "\u02ba": "\"", "\u02ee": "\"", "\u2018": "'", "\u2019": "'", "\u201b": "'", "\u2032": "'", "\u2035": "'", "\u00b4": "'", "`": "'", "\u02b9": "'", "\u02bb": "'", "\u02bc": "'", "\u02bd": "'", "\u02c8": "'", "\u02ca": "'", "\u02cb": "'", "\u275b": "'", "\u275c": "'", "\u2039": "<", "\u203a": ">", "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2015": "-", "\u2212": "-", "\u2043": "-", "\ufe58": "-", "\ufe63": "-", "\u2026": "...", "\u2025": "..", "\u2024": ".", "\u2022": "-", "\u2023": "-", "\u25e6": "-", "\u25cf": "-", "\u25aa": "-", "\u201a": ",", "\u3001": ",", "\ufe50": ",", "\ufe51": ",", "\uff64": ",", "\u3002": ".", "\ufe52": ".", "\uff61": ".", "\u203c": "!!", "\u2047": "??", "\u2048": "?!", "\u2049": "!?", "\u00d7": "x", "\u00f7": "/", "\u2044": "/", "\u2215": "/", "\u2217": "*", "\u204e": "*", "\u223c": "~", "\u02dc": "~", "\u02c6": "^", "\u2223": "|", "\u00a9": "(c)", "\u00ae": "(R)", "\u2122": "(TM)", "\u2116": "No.", "\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl", "\ufb05": "st", "\ufb06": "st", "\uff01": "!", "\uff02": "\"", "\uff03": "#", "\uff04": "$", "\uff05": "%", "\uff06": "&", "\uff07": "'", "\uff08": "(", "\uff09": ")", "\uff0a": "*", "\uff0b": "+", "\uff0c": ",", "\uff0d": "-", "\uff0e": ".", "\uff0f": "/", "\uff10": "0", "\uff11": "1", "\uff12": "2", "\uff13": "3", "\uff14": "4", "\uff15": "5", "\uff16": "6", "\uff17": "7", "\uff18": "8", "\uff19": "9", "\uff1a": ":", "\uff1b": ";", "\uff1c": "<", "\uff1d": "=", "\uff1e": ">", "\uff1f": "?", "\uff20": "@", "\uff21": "A", "\uff22": "B", "\uff23": "C", "\uff24": "D", "\uff25": "E", "\uff26": "F", "\uff27": "G", "\uff28": "H", "\uff29": "I", "\uff2a": "J", "\uff2b": "K", "\uff2c": "L", "\uff2d": "M", "\uff2e": "N", "\uff2f": "O", "\uff30": "P", "\uff31": "Q", "\uff32": "R", "\uff33": "S", "\uff34": "T", "\uff35": "U", "\uff36": "V", "\uff37": "W", "\uff38": "X", "\uff39": "Y", "\uff3a": "Z", "\uff3b": "[", "\uff3c": "\\", "\uff3d": "]", "\uff3e": "^", "\uff3f": "_", "\uff41": "a", "\uff42": "b", "\uff43": "c", "\uff44": "d", "\uff45": "e", "\uff46": "f", "\uff47": "g", "\uff48": "h", "\uff49": "i", "\uff4a": "j", "\uff4b": "k", "\uff4c": "l", "\uff4d": "m", "\uff4e": "n", "\uff4f": "o", "\uff50": "p", "\uff51": "q", "\uff52": "r", "\uff53": "s", "\uff54": "t", "\uff55": "u", "\uff56": "v", "\uff57": "w", "\uff58": "x", "\uff59": "y", "\uff5a": "z", "\uff5b": "{", "\uff5c": "|", "\uff5d": "}", "\uff5e": "~", "\uff40": "'", "\uffe1": "\u00a3", "\uffe5": "\u00a5", "\t": " ", "\u00a0": " ", "\u1680": " ", "\u2000": " ", "\u2001": " ", "\u2002": " ", "\u2003": " ", "\u2004": " ", "\u2005": " ", "\u2006": " ", "\u2007": " ", "\u2008": " ", "\u2009": " ", "\u200a": " ", "\u202f": " ", "\u205f": " ", "\u3000": " ", "\u000b": "\n", "\u0085": "\n", "\u2028": "\n", "\u2029": "\n", "\u00ad": "", "\u200b": "", "\u200e": "", "\u200f": "", "\u202a": "", "\u202b": "", "\u202c": "", "\u202d": "", "\u202e": "", "\u2060": "", "\u2066": "", "\u2067": "", "\u2068": "", "\u2069": "", "\ufeff": "", "\u0000": "", "\u0001": "", "\u0002": "", "\u0003": "", "\u0004": "", "\u0005": "", "\u0006": "", "\u0007": "", "\b": "", "\u000e": "", "\u000f": "", "\u0010": "", "\u0011": "", "\u0012": "", "\u0013": "", "\u0014": "", "\u0015": "", "\u0016": "", "\u0017": "", "\u0018": "", "\u0019": "", "\u001a": "", "\u001b": "", "\u001c": "", "\u001d": "", "\u001e": "", "\u001f": ""};

    function countSegments(text) {
        const characters = [...text];
        const isGsm = characters.every((c) => GSM_BASIC.includes(c) || GSM_EXTENSION.includes(c));
        const encoding = isGsm ? "GSM-7" : "UCS-2";
        // In UCS-2 a string's length is its code units; in GSM-7 an extension character takes two septets.
        const sizes = characters.map((c) => (isGsm ? (GSM_EXTENSION.includes(c) ? 2 : 1) : c.length));
        const units = sizes.reduce((sum, size) => sum + size, 0);
        const [alone, joined] = LIMITS[encoding];
        if (units <= alone) {
            return {encoding, segments: 1, units, left: alone - units};
        }
        let segments = 1;
        let used = 0;
        for (const size of sizes) {
            if (used + size > joined) { // a pair is never split between two segments
                segments += 1;
                used = 0;
            }
            used += size;
        }
        return {encoding, segments, units, left: joined - used};
    }

    // Characters outside GSM-7, each once: where they stand (in UTF-16 units) and what says the same (null: nothing).
    function costlyCharacters(text) {
        const found = new Map();
        let position = 0;
        for (const character of text) {
            if (!GSM_BASIC.includes(character) && !GSM_EXTENSION.includes(character)) {
                const known = found.get(character) ?? {character, positions: [], replacement: replacementOf(character)};
                known.positions.push(position);
                found.set(character, known);
            }
            position += character.length;
        }
        return [...found.values()];
    }

    function replacementOf(character) {
        return Object.hasOwn(GSM_REPLACEMENTS, character) ? GSM_REPLACEMENTS[character] : null;
    }

    window.countSegments = countSegments;
    window.costlyCharacters = costlyCharacters;
    window.GSM_REPLACEMENTS = GSM_REPLACEMENTS;
}
