/* What JupyterLab and Notebook 7 load first. They expect a container of webpack's module federation:
 * `init` receives the packages of the page, `get` returns a factory of the module that package.json names.
 * Everything else is in ES modules next to this file, which the browser loads directly; there is no build step. */
(() => {
  const here = document.currentScript.src;
  const container = {
    /** The packages of the page, by name and version. */
    shared: undefined,
    init(shared) {
      container.shared = shared;
    },
    async get(name) {
      const module = await import(new URL(`${name}.js`, here).href);
      return () => ({ __esModule: true, default: module.default });
    },
  };
  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB["ci-magics"] = container;
})();
