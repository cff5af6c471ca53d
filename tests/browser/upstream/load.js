/** Ours, one after the other: what they put over Backbone is there when the tests come. */
export async function loadOurs() {
  for (const path of window.told.ours) await import(path).catch((error) => giveUp(path, error));
}

/** The suite's files as they are: scripts without imports, in this order. */
export async function loadSuite() {
  for (const path of window.told.suite) await loadScript(`/suite/${path}`);
}

function loadScript(src) {
  return new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement("script"), { src });
    script.onload = resolve;
    script.onerror = () => reject(giveUp(src, "cannot be had"));
    document.body.append(script);
  });
}

function giveUp(path, error) {
  window.verdict = { passed: [], failed: [`${path}: ${error}`] };
  throw error;
}
