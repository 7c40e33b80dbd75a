/**
 * The viewer as a Streamlit component (st.components.v2), which calls the default export again
 * with new data whenever the page runs.
 *
 * data: {glb: base64 text, key: changes when glb does, options: see DEFAULTS of viewer.js}.
 * The component's HTML may hold an element with the attribute data-facegpt-viewer that sets
 * the size; without one it is 480 pixels high. State "error" is set to a
 * sentence when a face cannot be shown; every change of state runs the page again.
 */
import { mount } from "./viewer.js";

export { DEFAULTS, mount } from "./viewer.js";

const mounted = new WeakMap(); // component's root -> {viewer, key}

export default function component({ data, parentElement, setStateValue }) {
  let place = mounted.get(parentElement);
  const options = data.options ?? {};
  if (place === undefined) {
    place = { viewer: mount(hostIn(parentElement), null, options), key: null };
    mounted.set(parentElement, place);
  } else {
    place.viewer.update(options);
  }
  if (data.glb && data.key !== place.key) {
    place.key = data.key;
    place.viewer.load(data.glb).catch((error) => setStateValue("error", error.message));
  }
  return () => {
    place.viewer.dispose();
    mounted.delete(parentElement);
  };
}

function hostIn(parent) {
  const own = parent.querySelector("[data-facegpt-viewer]");
  if (own !== null) return own;
  const host = document.createElement("div");
  host.style.cssText = "width:100%;height:480px";
  parent.appendChild(host);
  return host;
}
