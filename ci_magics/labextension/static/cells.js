/* The cells that can be inserted: what the palette and the menu call them, and what is in them. */

export const cells = {
  connect: { label: "Connection", source: "%ci_connect" },
  segment: { label: "Segment", source: '%ci_segment "SEGMENT" FRAME --where "CONDITION"' },
  preview: { label: "Coverage", source: '%ci_preview "SEGMENT" --to "CONNECTION"' },
  export: { label: "Export", source: '%ci_export "SEGMENT" --to "CONNECTION" --dry-run' },
  save: { label: "Saved Export", source: '%ci_export "SEGMENT" --to "CONNECTION" --save "NAME"' },
  segmentForm: { label: "Segment Form", source: "%ci_segment" },
  previewForm: { label: "Coverage Form", source: "%ci_preview" },
  form: { label: "Export Form", source: "%ci_export" },
  exports: { label: "List of Exports", source: "%ci_exports" },
  status: { label: "Status", source: "%ci_status" },
};

/** The cell that runs a saved export. */
export function runCell(name) {
  return `%ci_exports run ${quoted(name)}`;
}

/** The cell that finishes a run that was interrupted. */
export function resumeCell(run) {
  return `%ci_export --resume ${run}`;
}

/** Quote a name for a magic; one that holds a double quote is put into single ones. */
function quoted(name) {
  return name.includes('"') ? `'${name}'` : `"${name}"`;
}
