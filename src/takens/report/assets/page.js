"use strict";
(function () {
  const figures = JSON.parse(document.getElementById("figure-data").textContent);
  const scheme = window.matchMedia("(prefers-color-scheme: dark)");
  const config = {
    displaylogo: false, responsive: true, showSendToCloud: false, plotlyServerURL: "",
    modeBarButtonsToRemove: [
      "lasso2d", "select2d", "sendDataToCloud", "zoomIn2d", "zoomOut2d", "autoScale2d",
      "resetCameraLastSave3d", "orbitRotation"
    ]
  };

  function webgl() {
    try {
      const canvas = document.createElement("canvas");
      return Boolean(canvas.getContext("webgl2") || canvas.getContext("webgl"));
    } catch (error) { return false; }
  }

  function colours(printing) {
    if (printing) { return { ink: "#000", soft: "#555", rule: "#ccc" }; }
    const style = getComputedStyle(document.documentElement);
    return {
      ink: style.getPropertyValue("--ink").trim(), rule: style.getPropertyValue("--rule").trim(),
      soft: style.getPropertyValue("--soft").trim()
    };
  }

  function themed(layout, theme) {
    const copy = JSON.parse(JSON.stringify(layout));
    copy.paper_bgcolor = "rgba(0,0,0,0)";
    copy.plot_bgcolor = "rgba(0,0,0,0)";
    copy.modebar = { bgcolor: "rgba(0,0,0,0)", color: theme.soft, activecolor: theme.ink };
    copy.font = { color: theme.ink, size: 12.5, family: getComputedStyle(document.body).fontFamily };
    const axes = copy.scene ? [copy.scene.xaxis, copy.scene.yaxis, copy.scene.zaxis]
      : Object.keys(copy).filter((key) => /^[xy]axis\d*$/.test(key)).map((key) => copy[key]);
    for (const axis of axes) {
      axis.gridcolor = theme.rule; axis.linecolor = theme.rule; axis.zerolinecolor = theme.rule;
      if (copy.scene) { axis.backgroundcolor = "rgba(0,0,0,0)"; axis.color = theme.ink; }
    }
    return copy;
  }

  const solid = webgl();
  const drawn = [];
  for (const figure of figures) {
    const place = document.getElementById(figure.id);
    if (!place) { continue; }
    const flat = figure.layout.scene && !solid;
    const shown = flat ? figure.flat : figure;
    if (!shown) { place.textContent = "This figure needs WebGL, which the browser does not offer."; continue; }
    Plotly.newPlot(place, shown.data, themed(shown.layout, colours(false)), config);
    drawn.push([place, shown.layout]);
  }
  function recolour(printing) {
    for (const [place, layout] of drawn) { Plotly.relayout(place, themed(layout, colours(printing))); }
  }
  scheme.addEventListener("change", () => recolour(false));
  window.addEventListener("beforeprint", () => recolour(true));
  window.addEventListener("afterprint", () => recolour(false));
  document.documentElement.dataset.figures = String(drawn.length);
})();
