/** A loaded .glb: its meshes, and their morph targets by name over all of them. */
import { Box3, Mesh, Vector3 } from "three";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";

const CHIN = 0.72;

export class Face {
  /** Read the bytes of a .glb; rejects with a sentence when they are none. */
  static async read(bytes) {
    let gltf;
    try {
      gltf = await new GLTFLoader().parseAsync(bytes, "");
    } catch (error) {
      throw new Error(`the viewer cannot read this file as .glb: ${error.message}`, { cause: error });
    }
    return new Face(gltf.scene);
  }

  constructor(root) {
    this.root = root;
    this.meshes = [];
    root.traverse((node) => {
      if (node instanceof Mesh) this.meshes.push(node);
    });
    this.defaults = this.meshes.map((mesh) => [...(mesh.morphTargetInfluences ?? [])]);
    for (const mesh of this.meshes) {
      mesh.frustumCulled = false; // its bounds are those of the neutral face
      if (mesh.material.transparent) mesh.renderOrder = 1; // lenses after what is behind them
    }
  }

  targets() {
    const found = new Map();
    for (const mesh of this.meshes) {
      for (const [name, index] of Object.entries(mesh.morphTargetDictionary ?? {})) {
        const [minimum, maximum] = mesh.userData.targetRanges?.[name] ?? [0, 1];
        if (!found.has(name)) found.set(name, { name, minimum, maximum, weight: mesh.morphTargetInfluences[index] });
      }
    }
    return [...found.values()];
  }

  setWeights(weights) {
    for (const mesh of this.meshes) {
      for (const [name, index] of Object.entries(mesh.morphTargetDictionary ?? {})) {
        if (Number.isFinite(weights[name])) mesh.morphTargetInfluences[index] = weights[name];
      }
    }
  }

  resetWeights() {
    this.meshes.forEach((mesh, number) => {
      this.defaults[number].forEach((weight, index) => (mesh.morphTargetInfluences[index] = weight));
    });
  }

  setWireframe(shown) {
    for (const mesh of this.meshes) mesh.material.wireframe = shown;
  }

  /** Hide the things worn with these names; everything else is shown. */
  setHidden(names) {
    for (const thing of this.root.getObjectByName("face")?.children ?? []) thing.visible = !names.includes(thing.name);
  }

  /**
   * Middle and size of the head at rest, in metres, without the neck: the origin lies in the
   * middle of the face, so the chin is about as far below it as CHIN says of what is above.
   */
  extent() {
    const head = this.root.getObjectByName("head") ?? this.root;
    head.updateWorldMatrix(true, true);
    const box = new Box3();
    head.traverse((node) => {
      if (!(node instanceof Mesh)) return;
      const place = new Vector3();
      const positions = node.geometry.attributes.position; // without targets, so that no weight moves the camera
      for (let index = 0; index < positions.count; index++) {
        box.expandByPoint(place.fromBufferAttribute(positions, index).applyMatrix4(node.matrixWorld));
      }
    });
    const { min, max } = box;
    const low = max.y > 0 ? Math.max(min.y, -CHIN * max.y) : min.y;
    const centre = new Vector3((min.x + max.x) / 2, (low + max.y) / 2, (min.z + max.z) / 2);
    return { centre, height: max.y - low, width: max.x - min.x };
  }

  dispose() {
    for (const mesh of this.meshes) {
      mesh.geometry.dispose();
      mesh.material.map?.dispose();
      mesh.material.dispose();
    }
  }
}
