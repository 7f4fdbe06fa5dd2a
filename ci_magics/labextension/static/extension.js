/* The plugins: commands with their launcher card and palette entries, and the side panel. */

import {
  ICommandPalette,
  IDefaultFileBrowser,
  ILauncher,
  ILayoutRestorer,
  INotebookTracker,
} from "./jupyterlab.js";
import { addCommands } from "./commands.js";
import { addPanel } from "./panel.js";

const commands = {
  id: "ci-magics:plugin",
  description: "Launcher card, palette and menu entries for Customer Match",
  autoStart: true,
  optional: [INotebookTracker, ILauncher, ICommandPalette, IDefaultFileBrowser],
  activate: addCommands,
};

const panel = {
  id: "ci-magics:panel",
  description: "Side panel with the exports and runs of the workspace",
  autoStart: true,
  optional: [INotebookTracker, ICommandPalette, ILayoutRestorer],
  activate: addPanel,
};

export default [commands, panel];
