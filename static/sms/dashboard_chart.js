"use strict";
// The bars of the dashboard, drawn by Chart.js from what stands in the page. Without script there is the table.
{
    let chart = null;

    const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

    function draw() {
        chart?.destroy();
        chart = null;
        const canvas = document.querySelector("canvas[data-chart]");
        if (!canvas || !window.Chart) {
            return;
        }
        const {labels, urls, parts} = JSON.parse(canvas.dataset.chart);
        const quiet = colour("--body-quiet-color");
        const grid = colour("--hairline-color");
        canvas.parentElement.hidden = false;
        chart = new window.Chart(canvas, {
            type: "bar",
            data: {
                labels,
                datasets: parts.map((part) => ({label: part.name, data: part.values, backgroundColor: colour(`--bar-${part.tone}`), maxBarThickness: 48})),
            },
            options: {
                animation: false,
                maintainAspectRatio: false,
                locale: document.documentElement.lang,
                interaction: {mode: "index", intersect: false},
                plugins: {legend: {display: false}}, // it stands below, in the page's own words
                scales: {
                    x: {stacked: true, grid: {display: false}, ticks: {color: quiet, maxRotation: 0, autoSkipPadding: 12}},
                    y: {stacked: true, beginAtZero: true, grid: {color: grid}, border: {display: false}, ticks: {color: quiet, maxTicksLimit: 5, precision: 0}},
                },
                onClick: (_event, hit) => {
                    if (hit.length && urls[hit[0].index]) {
                        window.location.assign(urls[hit[0].index]);
                    }
                },
                onHover: (event, hit) => {
                    event.native.target.style.cursor = hit.length && urls[hit[0].index] ? "pointer" : "";
                },
            },
        });
    }

    draw();
    document.getElementById("dashboard")?.addEventListener("renewed", draw);
    // Light or dark: by the page's own switch, or by the system.
    new MutationObserver(draw).observe(document.documentElement, {attributeFilter: ["data-theme"]});
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}
