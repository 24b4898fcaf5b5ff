/* Comforts only: the page is complete without this. Theme, filters, copying, reading a plot's values by pointer or arrow keys. */
(function () {
  "use strict";
  var page = document.documentElement;
  var data = JSON.parse(document.getElementById("nightjar-data").textContent);

  var theme = document.getElementById("theme");
  function isDark() {
    var set = page.getAttribute("data-theme");
    return set ? set === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }
  function nameTheme() { theme.textContent = isDark() ? "Light" : "Dark"; }
  theme.hidden = false;
  nameTheme();
  theme.addEventListener("click", function () {
    page.setAttribute("data-theme", isDark() ? "light" : "dark");
    nameTheme();
  });

  var filters = document.querySelector(".filters");
  var cards = Array.prototype.slice.call(document.querySelectorAll(".alert"));
  function filter() {
    var words = filters.querySelector("input[type=search]").value.toLowerCase().trim();
    var shown = {};
    filters.querySelectorAll("input[type=checkbox]").forEach(function (box) { shown[box.value] = box.checked; });
    var n = 0;
    cards.forEach(function (card) {
      var fits = shown[card.dataset.severity] !== false && (words === "" || card.textContent.toLowerCase().indexOf(words) >= 0);
      card.hidden = !fits;
      n += fits ? 1 : 0;
    });
    filters.querySelector("output").textContent = n === cards.length ? "" : n + " of " + cards.length + " shown";
  }
  if (filters) {
    filters.hidden = false;
    filters.addEventListener("input", filter);
  }

  document.querySelectorAll(".cmd").forEach(function (line) {
    if (!navigator.clipboard) return;
    var button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", function () {
      navigator.clipboard.writeText(line.querySelector("code").textContent).then(function () {
        button.textContent = "Copied";
        setTimeout(function () { button.textContent = "Copy"; }, 1500);
      });
    });
    line.appendChild(button);
  });

  function two(n) { return (n < 10 ? "0" : "") + n; }
  function time(ms) {
    var d = new Date(ms);
    return d.getUTCFullYear() + "-" + two(d.getUTCMonth() + 1) + "-" + two(d.getUTCDate()) + " " + two(d.getUTCHours()) + ":" + two(d.getUTCMinutes()) + ":" + two(d.getUTCSeconds());
  }
  function value(v, unit) {
    if (unit.charAt(0) !== "B") return Math.round(v).toLocaleString("en") + " " + unit;
    var units = ["B", "kB", "MB", "GB", "TB"], i = 0;
    while (v >= 1000 && i < 4) { v /= 1000; i++; }
    return (v >= 100 ? v.toFixed(0) : v >= 10 ? v.toFixed(1) : v.toFixed(2)) + " " + units[i] + unit.slice(1);
  }
  document.querySelectorAll(".plot").forEach(function (svg) {
    var plot = data.plots[svg.dataset.plot];
    var readout = document.querySelector('.readout[data-for="' + svg.dataset.plot + '"]');
    if (!plot || !readout) return;
    var cross = document.createElementNS("http://www.w3.org/2000/svg", "line");
    cross.setAttribute("class", "cross");
    cross.setAttribute("y1", "0");
    cross.setAttribute("y2", String(svg.getAttribute("height") - 22));
    var at = -1;
    function show(bin) {
      at = Math.max(0, Math.min(plot.values.length - 1, bin));
      var x = ((at + 0.5) / plot.values.length * 100) + "%";
      cross.setAttribute("x1", x);
      cross.setAttribute("x2", x);
      if (!cross.parentNode) svg.appendChild(cross);
      readout.textContent = time(data.origin_ms + at * data.bin_ms) + " UTC: " + value(plot.values[at], plot.unit);
    }
    svg.addEventListener("pointermove", function (event) {
      var box = svg.getBoundingClientRect();
      show(Math.floor((event.clientX - box.left) / box.width * plot.values.length));
    });
    svg.addEventListener("pointerleave", function () {
      if (cross.parentNode) svg.removeChild(cross);
      readout.textContent = "";
    });
    svg.addEventListener("keydown", function (event) {
      var step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
      if (step && event.target === svg) { event.preventDefault(); show(at < 0 ? 0 : at + step); }
    });
  });

  /* j and k walk through the detections. */
  document.addEventListener("keydown", function (event) {
    if ((event.key !== "j" && event.key !== "k") || event.ctrlKey || event.metaKey || event.altKey || /INPUT|TEXTAREA/.test(event.target.tagName)) return;
    var seen = cards.filter(function (card) { return !card.hidden; });
    var now = seen.indexOf(document.activeElement.closest(".alert"));
    var next = seen[event.key === "j" ? Math.min(now + 1, seen.length - 1) : Math.max(now - 1, 0)];
    if (next) { next.focus(); next.scrollIntoView({ block: "start" }); }
  });
})();
