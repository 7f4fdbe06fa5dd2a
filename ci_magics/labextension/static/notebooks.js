/* What happens in notebooks: a new one from the template, and cells in the one that is open. */

import { NotebookActions } from "./jupyterlab.js";

const LOAD = "%load_ext ci_magics";
const LOADING = /^\s*%(re)?load_ext\s+ci_magics/m;
const LOADED = "'ci_magics' in get_ipython().extension_manager.loaded";
const TEMPLATE = new URL("customer_match.ipynb", import.meta.url);

/** Make a notebook from the template in a folder, open it, and return its widget. */
export async function newNotebook(app, folder) {
  const { contents, kernelspecs } = app.serviceManager;
  const template = await (await fetch(TEMPLATE)).json();
  await kernelspecs.ready;
  template.metadata.kernelspec = pythonKernel(kernelspecs.specs) ?? template.metadata.kernelspec;
  const file = await contents.newUntitled({ path: folder, type: "notebook" });
  await contents.save(file.path, { type: "notebook", format: "json", content: template });
  return app.commands.execute("docmanager:open", { path: file.path });
}

/** Insert a cell below the active one, make it the active one, and return whether there was a notebook. */
export async function insertCell(panel, source) {
  if (panel === null) {
    return false;
  }
  const text = (await isLoaded(panel)) ? source : `${LOAD}\n${source}`;
  const notebook = panel.content;
  if (!isEmpty(notebook.activeCell)) {
    NotebookActions.insertBelow(notebook);
  }
  notebook.activeCell.model.sharedModel.setSource(text);
  notebook.mode = "edit";
  // The palette restores the focus, so wait until it has done so.
  requestAnimationFrame(() => notebook.activeCell.editor?.focus());
  return true;
}

function isEmpty(cell) {
  return cell?.model.type === "code" && cell.model.sharedModel.source.trim() === "";
}

/** Return whether the magics are loaded. Do not wait for a busy kernel; then the executed cells show it. */
async function isLoaded(panel) {
  const kernel = panel.sessionContext.session?.kernel;
  if (kernel?.status !== "idle") {
    return panel.content.widgets.some(
      cell => LOADING.test(cell.model.sharedModel.source) && isRun(cell.model),
    );
  }
  const question = { code: "", silent: true, user_expressions: { loaded: LOADED } };
  const reply = await kernel.requestExecute(question).done.catch(() => null); // it ended meanwhile
  return reply?.content.user_expressions?.loaded?.data?.["text/plain"] === "True";
}

/** Return whether a cell was executed or is about to be. */
function isRun(model) {
  return model.type === "code" && (model.executionCount !== null || model.executionState === "running");
}

/** The server's default kernel, or the first Python kernel if the default is not Python. */
function pythonKernel(specs) {
  const all = Object.values(specs?.kernelspecs ?? {});
  const found = [specs?.kernelspecs[specs.default], ...all].find(
    each => each?.language.toLowerCase() === "python",
  );
  return found && { name: found.name, display_name: found.display_name, language: found.language };
}
