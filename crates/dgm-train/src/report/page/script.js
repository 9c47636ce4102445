"use strict";
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const button = document.getElementById("theme");
  const name = () => { button.textContent = isDark() ? "Light theme" : "Dark theme"; };
  button.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; name(); });
  system.addEventListener("change", name);
  button.hidden = false;
  name();

  const made = (parent, className) => {
    const element = parent.appendChild(document.createElement("div"));
    element.className = className;
    return element;
  };
  // The place of the value nearest to x, of values that rise.
  const nearest = (values, x) => {
    let [low, high] = [0, values.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (values[middle] < x) low = middle + 1; else high = middle;
    }
    return low > 0 && x - values[low - 1] <= values[low] - x ? low - 1 : low;
  };

  for (const plot of document.querySelectorAll(".plot")) {
    const { name, end, curves } = JSON.parse(plot.dataset.curves);
    const steps = [...new Set(curves.flatMap((curve) => curve.x))].sort((a, b) => a - b);
    const cursor = made(plot, "cursor");
    const hair = made(plot, "hair");
    const tip = made(plot, "tip");
    cursor.tabIndex = 0;
    for (const [key, value] of Object.entries({
      role: "slider", "aria-label": `Step to read ${name} at`, "aria-valuemin": 0, "aria-valuemax": steps.length - 1,
    })) cursor.setAttribute(key, value);
    let at = steps.length - 1;
    const show = (visible) => { hair.hidden = tip.hidden = !visible; };
    const go = (place) => {
      at = Math.min(Math.max(place, 0), steps.length - 1);
      const step = steps[at];
      const lines = curves.map((curve) => {
        const i = nearest(curve.x, step);
        return { curve, text: `${curve.name} ${curve.y[i]}${curve.x[i] === step ? "" : ` at step ${curve.x[i]}`}` };
      });
      tip.replaceChildren();
      made(tip, "small").textContent = `step ${step}`;
      for (const { curve, text } of lines) {
        const line = made(tip, curve.color);
        line.appendChild(document.createElement("span")).className = "key";
        line.append(text);
      }
      const left = 100 * step / end;
      hair.style.left = `${left}%`;
      tip.style.left = left > 50 ? "auto" : `calc(${left}% + .6rem)`;
      tip.style.right = left > 50 ? `calc(${100 - left}% + .6rem)` : "auto";
      cursor.setAttribute("aria-valuenow", at);
      cursor.setAttribute("aria-valuetext", `step ${step}: ${lines.map(({ text }) => text).join(", ")}`);
    };
    go(at);
    show(false);
    cursor.addEventListener("pointermove", (event) => {
      const box = cursor.getBoundingClientRect();
      go(nearest(steps, end * (event.clientX - box.left) / box.width));
      show(true);
    });
    cursor.addEventListener("pointerleave", () => show(document.activeElement === cursor));
    cursor.addEventListener("focus", () => show(true));
    cursor.addEventListener("blur", () => show(false));
    cursor.addEventListener("keydown", (event) => {
      const many = Math.max(1, Math.round(steps.length / 10));
      const to = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, PageDown: at - many, PageUp: at + many,
        Home: 0, End: steps.length - 1, Escape: null }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      if (to === null) return show(false);
      go(to);
      show(true);
    });
  }
})();
