/* Parts that the lists are made of. */

import { React } from "./jupyterlab.js";
import { distance, inFull } from "./words.js";

export const h = React.createElement;

/** A button; `about` distinguishes it from similar ones for screen readers. */
export function Action({ icon, label, about, onClick }) {
  return h(
    "button",
    { type: "button", onClick, "aria-label": about && `${label}: ${about}` },
    icon && h(icon.react, { tag: "span", "aria-hidden": true }),
    label,
  );
}

/** A hint on what to do if there is nothing to show. */
export function Empty({ text, label, onClick }) {
  return h("div", { className: "ci-magics-empty" }, h("p", null, text), h(Action, { label, onClick }));
}

/** A list under its heading. */
export function List({ id, title, notes = [], filter, empty, children }) {
  const shown = children.length === 0 ? empty : h("ul", null, children);
  const warnings = notes.map(text => h(Warning, { key: text, text }));
  return h("section", { "aria-labelledby": id }, h("h3", { id }, title), warnings, filter, shown);
}

/** A warning about a problem. */
export function Warning({ text }) {
  return h("div", { className: "ci-magics-warning" }, text);
}

/** The first line of an entry: its name and its status. */
export function Title({ text, status }) {
  const badge = h("span", { className: "ci-magics-status", "data-status": status }, status);
  return h("div", { className: "ci-magics-line" }, h("h4", null, text), badge);
}

/** A relative time; the tooltip has the exact time. */
export function Moment({ at, none }) {
  return at ? h("time", { dateTime: at, title: inFull(at) }, distance(at)) : none;
}
