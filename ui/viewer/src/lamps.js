/**
 * The studio's lamps. They stand with the camera, as those of the stills do.
 *
 * No environment map: preparing one takes three.js ten seconds where the browser has no
 * graphics card, and the lamps alone already glint in the eyes.
 */
import { DirectionalLight, HemisphereLight, MathUtils } from "three";

const KEY = 2.8;
const FILL = 0.7;
const RIM = 0.3;
const SKY = 1.5;

export class Lamps {
  constructor(camera, scene) {
    this.sky = new HemisphereLight(0xeef2ff, 0x8f7a6c, 1);
    this.key = new DirectionalLight(0xfff3e6, 1);
    this.fill = new DirectionalLight(0xe4ecff, 1);
    this.rim = new DirectionalLight(0xffffff, 1);
    for (const lamp of [this.key, this.fill, this.rim]) {
      camera.add(lamp, lamp.target); // all shine on the point before the camera
      lamp.target.position.set(0, 0, -1);
    }
    scene.add(this.sky);
  }

  /** Brightness of all lamps, and where the key lamp stands, in degrees to the right and above. */
  set(brightness, yaw, pitch) {
    place(this.key, yaw, pitch);
    place(this.fill, -yaw * 1.2, pitch * 0.2);
    place(this.rim, yaw + 180 - Math.sign(yaw || 1) * 30, 20);
    this.key.intensity = KEY * brightness;
    this.fill.intensity = FILL * brightness;
    this.rim.intensity = RIM * brightness;
    this.sky.intensity = SKY * brightness;
  }
}

function place(lamp, yaw, pitch) {
  const [across, up] = [MathUtils.degToRad(yaw), MathUtils.degToRad(pitch)];
  lamp.position.set(Math.sin(across) * Math.cos(up), Math.sin(up), Math.cos(across) * Math.cos(up));
  lamp.position.add(lamp.target.position);
}
