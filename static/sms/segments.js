"use strict";
// Live count of what a text costs. The rules are those of sms_backends/segments.py (3GPP TS 23.038 and 23.040);
// tests/campaigns/test_admin_assets.py compares the alphabets, the browser tests the results.
{
    const GSM_BASIC = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
    const GSM_EXTENSION = "\f^{}\\[~]|€";
    const LIMITS = {"GSM-7": [160, 153], "UCS-2": [70, 67]};

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
    window.countSegments = countSegments;

    const words = document.getElementById("segment-words");
    document.querySelectorAll("textarea[data-segments]").forEach((textarea) => {
        const line = document.createElement("p");
        line.className = "segment-count";
        line.id = textarea.dataset.segments;
        line.setAttribute("aria-live", "polite");
        textarea.insertAdjacentElement("afterend", line);
        const show = () => {
            const found = countSegments(textarea.value);
            line.textContent = words.content.textContent.replace(/\{(\w+)\}/g, (_, name) => found[name]);
        };
        textarea.addEventListener("input", show);
        show();
    });
}
