/* The cells that can be inserted: what the palette and the menu call them, and what is in them. */

export const cells = {
  connect: { label: "Connection", source: "%ci_connect" },
  segment: { label: "Segment", source: '%ci_segment "SEGMENT" FRAME --where "CONDITION"' },
  preview: { label: "Coverage", source: '%ci_preview "SEGMENT" --to "CONNECTION"' },
  export: { label: "Export", source: '%ci_export "SEGMENT" --to "CONNECTION" --dry-run' },
  save: { label: "Saved export", source: '%ci_export "SEGMENT" --to "CONNECTION" --save "NAME"' },
  segmentForm: { label: "Segment form", source: "%ci_segment" },
  previewForm: { label: "Coverage form", source: "%ci_preview" },
  form: { label: "Export form", source: "%ci_export" },
  exports: { label: "List of exports", source: "%ci_exports" },
  status: { label: "Status", source: "%ci_status" },
};

/** The cell that runs a saved export. */
export function runCell(name) {
  return `%ci_exports run ${quoted(name)}`;
}

/** The cell that finishes a run that was interrupted. */
export function resumeCell(run) {
  return `%ci_export --resume ${/^\w+$/.test(run) ? run : quoted(run)}`;
}

// Characters that a line cannot hold: control characters, line breaks, lone surrogates, marks that reorder text.
const UNWRITABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202A-\u202E\u2066-\u2069]/u;

/** Quote a text for a magic, so that it reads the text unchanged; `quoting.py` does the same in Python. */
export function quoted(text) {
  if (UNWRITABLE.test(text)) {
    return `{'${Array.from(text, escaped).join("")}'}`;
  }
  if (!text.includes('"')) {
    return `"${text}"`;
  }
  // Put each double quote in single quotes: adjacent quoted parts are one word.
  return text.includes("'") ? `"${text.replaceAll('"', `"'"'"`)}"` : `'${text}'`;
}

/** Write a character as Python reads it within quotes. */
function escaped(letter) {
  if (/[A-Za-z0-9 ]/.test(letter)) {
    return letter;
  }
  const digits = letter.codePointAt(0).toString(16);
  return digits.length > 4 ? `\\U${digits.padStart(8, "0")}` : `\\u${digits.padStart(4, "0")}`;
}
