/* The packages that we use of the page that we are in. The only file that knows how they are shared. */

const { shared } = window._JUPYTERLAB["ci-magics"];

async function packageOf(name) {
  const versions = Object.values(shared[name] ?? {});
  if (versions.length === 0) {
    throw new Error(`ci-magics: this page has no ${name}`);
  }
  const version = versions.find(each => each.loaded) ?? versions[versions.length - 1];
  return (await version.get())();
}

async function packages(...names) {
  return Object.assign({}, ...(await Promise.all(names.map(packageOf))));
}

export const React = await packageOf("react");

export const {
  ICommandPalette,
  IDefaultFileBrowser,
  ILauncher,
  ILayoutRestorer,
  INotebookTracker,
  LabIcon,
  NotebookActions,
  PageConfig,
  Poll,
  ReactWidget,
  ServerConnection,
  Signal,
  URLExt,
  UseSignal,
  addIcon,
  refreshIcon,
  showErrorMessage,
} = await packages(
  "@jupyterlab/application",
  "@jupyterlab/apputils",
  "@jupyterlab/coreutils",
  "@jupyterlab/filebrowser",
  "@jupyterlab/launcher",
  "@jupyterlab/notebook",
  "@jupyterlab/services",
  "@jupyterlab/ui-components",
  "@lumino/polling",
  "@lumino/signaling",
);
