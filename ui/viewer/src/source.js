/** The bytes of a .glb, however they came: as bytes, as base64, or behind a URL. */

const MAGIC = "Z2xURg"; // "glTF" in base64

/** @returns {Promise<ArrayBuffer>} rejects with a sentence when there is nothing to read */
export async function bytesOf(source) {
  if (source instanceof ArrayBuffer) return source;
  if (ArrayBuffer.isView(source)) {
    return source.buffer.slice(source.byteOffset, source.byteOffset + source.byteLength);
  }
  if (typeof source !== "string" || source === "") {
    throw new Error("the viewer needs a .glb as bytes, base64 or URL");
  }
  if (source.startsWith(MAGIC)) return Uint8Array.from(atob(source), (letter) => letter.charCodeAt(0)).buffer;
  const answer = await fetch(source);
  if (!answer.ok) throw new Error(`the viewer cannot fetch ${source}: ${answer.status} ${answer.statusText}`);
  return answer.arrayBuffer();
}
