/**
 * Shows one face in the browser and moves it by the names of its morph targets.
 *
 * Draws only when something changed, makes no request of its own, and keeps the camera where
 * it is when another face is loaded. Lengths are metres, angles degrees: positive yaw turns
 * the nose to the person's left (the right of the picture), positive pitch raises the chin.
 */
import { Color, MathUtils, NeutralToneMapping, PerspectiveCamera, Scene, Vector3, WebGLRenderer } from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
import { Face } from "./face.js";
import { Lamps } from "./lamps.js";
import { bytesOf } from "./source.js";

const FIELD_OF_VIEW = 20; // degrees, a portrait lens
const FILL = 0.72; // of the picture's height for the head, as in the stills
const MOST_PIXELS_PER_POINT = 2;

/** What `mount` and `update` understand; a name that is not here is an error. */
export const DEFAULTS = Object.freeze({
  weights: {}, // morph target name -> weight; targets not named keep theirs
  hidden: [], // names of things worn that are not shown, such as "glasses"
  controls: true, // turn and zoom with mouse, finger or arrow keys
  turning: 0, // degrees per second the camera goes round by itself
  yaw: 0,
  pitch: 0, // where the camera starts, and where `home` brings it back
  light: 1, // brightness of all lamps
  lightYaw: -38, // where the key lamp stands, as seen by the camera; positive is the picture's right
  lightPitch: 34, // and above
  wireframe: false,
  background: "transparent", // or "studio", or any CSS colour
  label: "3D face", // what screen readers call the picture
});

/**
 * Put a viewer into an element that has a size of its own.
 *
 * @param {HTMLElement} container where the canvas goes; it fills it and follows its size
 * @param {ArrayBuffer|Uint8Array|string|null} source a .glb as bytes, base64, or a URL; null for later
 * @param {object} options see DEFAULTS
 * @returns {Viewer} with `ready`, a promise that rejects with a sentence when nothing can be shown
 */
export function mount(container, source = null, options = {}) {
  return new Viewer(container, source, options);
}

class Viewer {
  constructor(container, source, options) {
    this.container = container;
    this.settings = merged(DEFAULTS, options);
    this.renderer = newRenderer();
    this.canvas = this.renderer.domElement;
    this.canvas.style.cssText = "display:block;width:100%;height:100%;touch-action:none";
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    container.appendChild(this.canvas);
    this.scene = new Scene();
    this.camera = new PerspectiveCamera(FIELD_OF_VIEW, 1, 0.01, 20);
    this.scene.add(this.camera);
    this.lamps = new Lamps(this.camera, this.scene);
    this.controls = new OrbitControls(this.camera, this.canvas);
    this.controls.enableDamping = true;
    this.controls.enablePan = false;
    this.controls.listenToKeyEvents(this.canvas);
    this.controls.addEventListener("change", () => this.invalidate());
    this.canvas.addEventListener("webglcontextrestored", () => this.invalidate());
    this.face = null;
    this.frame = 0;
    this.drawnAt = 0;
    this.loading = 0; // counts loads, so that only the newest is shown
    this.sized = new ResizeObserver(() => this.resize());
    this.sized.observe(container);
    this.resize();
    this.applySettings();
    this.ready = source === null ? Promise.resolve(this) : this.load(source);
  }

  /** Show another face; weights set so far hold for it too. The camera stays, but for the first face. */
  async load(source) {
    const turn = ++this.loading;
    const face = await Face.read(await bytesOf(source));
    if (turn !== this.loading || this.renderer === null) {
      face.dispose();
      return this;
    }
    const first = this.face === null;
    if (!first) {
      this.scene.remove(this.face.root);
      this.face.dispose();
    }
    this.face = face;
    this.scene.add(face.root);
    if (first) this.home();
    this.applySettings();
    return this;
  }

  /** Morph targets of the face: [{name, minimum, maximum, weight}], in the file's order. */
  targets() {
    return this.face === null ? [] : this.face.targets();
  }

  /** Change some options; the others stay. `weights` are added to those set before. */
  update(options) {
    const weights = { ...this.settings.weights, ...(options.weights ?? {}) };
    this.settings = merged(this.settings, { ...options, weights });
    this.applySettings();
  }

  /** Set some weights by name: the quick way for sliders. Unknown names are ignored. */
  setWeights(weights) {
    this.settings.weights = { ...this.settings.weights, ...weights };
    if (this.face !== null) this.face.setWeights(weights);
    this.invalidate();
  }

  /** Forget all weights set; the face shows the expression of its file again. */
  resetWeights() {
    this.settings.weights = {};
    if (this.face !== null) this.face.resetWeights();
    this.invalidate();
  }

  /** Bring the camera back to the yaw and pitch of the options, with the whole head in the picture. */
  home() {
    if (this.face === null) return;
    const { centre, height, width } = this.face.extent();
    const seen = Math.max(height, width / this.camera.aspect);
    const distance = seen / FILL / 2 / Math.tan(MathUtils.degToRad(FIELD_OF_VIEW / 2));
    const yaw = MathUtils.degToRad(-this.settings.yaw); // the camera goes the other way than the nose
    const pitch = MathUtils.degToRad(-this.settings.pitch);
    const direction = new Vector3(Math.sin(yaw) * Math.cos(pitch), Math.sin(pitch), Math.cos(yaw) * Math.cos(pitch));
    this.controls.target.copy(centre);
    this.camera.position.copy(centre).addScaledVector(direction, distance);
    this.controls.minDistance = distance * 0.25;
    this.controls.maxDistance = distance * 4;
    this.controls.update();
    this.invalidate();
  }

  /** The picture as a PNG data URL, drawn now. */
  snapshot() {
    this.draw();
    return this.canvas.toDataURL("image/png");
  }

  /** Ask for one drawing; several asks before the next frame cost one. */
  invalidate() {
    if (this.frame === 0 && this.renderer !== null) this.frame = requestAnimationFrame((now) => this.tick(now));
  }

  /** Take everything away and give the memory of the graphics card back. */
  dispose() {
    if (this.renderer === null) return;
    cancelAnimationFrame(this.frame);
    this.sized.disconnect();
    this.controls.dispose();
    if (this.face !== null) this.face.dispose();
    this.renderer.dispose();
    this.renderer.forceContextLoss();
    this.canvas.remove();
    this.container.style.background = "";
    this.renderer = null;
  }

  tick(now) {
    this.frame = 0;
    const seconds = Math.min((now - this.drawnAt) / 1000, 0.1);
    this.drawnAt = now;
    this.controls.update(seconds); // asks for the next drawing while the camera still moves
    this.draw();
    if (this.settings.turning !== 0) this.invalidate();
  }

  draw() {
    this.renderer.render(this.scene, this.camera);
  }

  resize() {
    const width = Math.max(this.container.clientWidth, 1);
    const height = Math.max(this.container.clientHeight, 1);
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio, MOST_PIXELS_PER_POINT));
    this.renderer.setSize(width, height, false);
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    this.invalidate();
  }

  applySettings() {
    const { settings } = this;
    this.controls.enabled = settings.controls;
    this.controls.autoRotate = settings.turning !== 0;
    this.controls.autoRotateSpeed = settings.turning / 6; // one unit is a turn a minute
    this.canvas.setAttribute("aria-label", settings.label);
    this.lamps.set(settings.light, settings.lightYaw, settings.lightPitch);
    this.scene.background = null;
    this.container.style.background = backgroundOf(settings.background);
    if (this.face !== null) {
      this.face.setWeights(settings.weights);
      this.face.setWireframe(settings.wireframe);
      this.face.setHidden(settings.hidden);
    }
    this.invalidate();
  }
}

function newRenderer() {
  let renderer;
  try {
    renderer = new WebGLRenderer({ antialias: true, alpha: true });
  } catch (error) {
    throw new Error("this browser shows no WebGL, which the 3D viewer needs", { cause: error });
  }
  renderer.setClearColor(new Color(0), 0);
  renderer.toneMapping = NeutralToneMapping;
  return renderer;
}

function merged(before, options) {
  const unknown = Object.keys(options).filter((name) => !(name in DEFAULTS));
  if (unknown.length > 0) {
    throw new Error(`the viewer has no option ${unknown[0]}; known: ${Object.keys(DEFAULTS).join(", ")}`);
  }
  return { ...before, ...options };
}

function backgroundOf(wish) {
  return wish === "studio" ? "radial-gradient(circle at 50% 46%, #b2b2b3 0%, #87888b 62%, #74767a 100%)" : wish;
}
