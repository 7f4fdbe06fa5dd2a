/* Commands, and where they are found: launcher, palette. The menus are in schemas/ci-magics/plugin.json. */

import { showErrorMessage } from "./jupyterlab.js";
import { cells } from "./cells.js";
import { icon, iconUrl } from "./icon.js";
import { insertCell, newNotebook } from "./notebooks.js";

export const CATEGORY = "Customer Match";
export const commandIds = {
  newNotebook: "ci-magics:new-notebook",
  insertCell: "ci-magics:insert-cell",
  openPanel: "ci-magics:open-panel",
};

export function addCommands(app, tracker, launcher, palette, browser) {
  app.commands.addCommand(commandIds.newNotebook, {
    label: args => (args.isLauncher ? CATEGORY : "Customer Match notebook"),
    caption: "Make a notebook that takes you from a customer table to an audience",
    icon,
    execute: async args => {
      try {
        return await newNotebook(app, args.cwd ?? browser?.model.path ?? "");
      } catch (error) {
        return showErrorMessage("The notebook cannot be created", error);
      }
    },
  });
  app.commands.addCommand(commandIds.insertCell, {
    label: args => (args.isPalette ? `Insert cell: ${labelOf(args)}` : labelOf(args)),
    caption: "Insert a Customer Match cell below the active one",
    isEnabled: () => tracker?.currentWidget != null,
    execute: args =>
      insertCell(tracker?.currentWidget ?? null, args.source ?? cells[args.cell ?? "export"].source),
  });
  launcher?.add({
    command: commandIds.newNotebook,
    category: "Notebook",
    args: { isLauncher: true },
    kernelIconUrl: iconUrl,
    rank: 10,
  });
  palette?.addItem({ command: commandIds.newNotebook, category: CATEGORY });
  for (const cell of Object.keys(cells)) {
    palette?.addItem({ command: commandIds.insertCell, category: CATEGORY, args: { cell, isPalette: true } });
  }
}

function labelOf(args) {
  return cells[args.cell ?? "export"].label;
}
