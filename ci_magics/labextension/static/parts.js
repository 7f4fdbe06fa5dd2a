/* Parts that the lists are made of. */

import { React } from "./jupyterlab.js";
import { distance, inFull } from "./words.js";

export const h = React.createElement;

/** A button; `about` tells a screen reader which of many it is. */
export function Action({ icon, label, about, onClick }) {
  return h(
    "button",
    { type: "button", onClick, "aria-label": about && `${label}: ${about}` },
    icon && h(icon.react, { tag: "span", "aria-hidden": true }),
    label,
  );
}

/** What there is to do where there is nothing to show. */
export function Empty({ text, label, onClick }) {
  return h("div", { className: "ci-magics-empty" }, h("p", null, text), h(Action, { label, onClick }));
}

/** A list under its heading. */
export function List({ id, title, notes = [], filter, empty, children }) {
  const shown = children.length === 0 ? empty : h("ul", null, children);
  const warnings = notes.map(text => h(Warning, { key: text, text }));
  return h("section", { "aria-labelledby": id }, h("h3", { id }, title), warnings, filter, shown);
}

/** What keeps something from doing its job. */
export function Warning({ text }) {
  return h("div", { className: "ci-magics-warning" }, text);
}

/** The first line of an entry: what it is, and how it stands. */
export function Title({ text, status }) {
  const badge = h("span", { className: "ci-magics-status", "data-status": status }, status);
  return h("div", { className: "ci-magics-line" }, h("h4", null, text), badge);
}

/** How far away a moment is; in full under the pointer. */
export function Moment({ at, none }) {
  return at ? h("time", { dateTime: at, title: inFull(at) }, distance(at)) : none;
}
