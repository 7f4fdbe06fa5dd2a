/* What a form needs of the page and stock widgets do not give: a status line that stays, and its own keys. */

/** One element that stays while its text changes: a screen reader announces changes, not new elements. */
function statusLine(model) {
  const line = document.createElement("div");
  line.setAttribute("role", "status");
  line.setAttribute("aria-live", "polite");
  Object.assign(line.style, { minHeight: "1.4em", lineHeight: "1.4", overflowWrap: "anywhere" });
  const show = () => {
    line.style.color = model.get("color");
    line.textContent = model.get("text");
  };
  model.on("change:text", show);
  show();
  return [line, () => model.off("change:text", show)];
}

/**
 * JupyterLab's command mode takes single letters and arrows, from lists and boxes too: an R that is meant to find
 * "France" in a list makes a raw cell of the form. They belong to the form; Ctrl, Alt and Shift+Enter stay the page's.
 */
function ownKeys(el) {
  const guard = event => {
    if (!el.closest(".ci-form")?.contains(event.target)) {
      return;
    }
    const ofThePage = event.ctrlKey || event.altKey || event.metaKey || (event.shiftKey && event.key === "Enter");
    event.target.toggleAttribute("data-lm-suppress-shortcuts", !ofThePage); // on a parent it comes too late
  };
  window.addEventListener("keydown", guard, true); // before the page's own listener, which is the document's
  return () => window.removeEventListener("keydown", guard, true);
}

function render({ model, el }) {
  const [line, forget] = statusLine(model);
  const release = ownKeys(el);
  el.append(line);
  return () => {
    forget();
    release();
  };
}

export default { render };
