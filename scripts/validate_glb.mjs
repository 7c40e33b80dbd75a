// Asks the Khronos glTF validator about files: one line each, its messages below; exit 1 on any error.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const [packages, ...files] = process.argv.slice(2);
const validator = createRequire(resolve(packages, "index.js"))("gltf-validator");
let errors = 0;
for (const file of files) {
  const { issues, info } = await validator.validateBytes(new Uint8Array(readFileSync(file)), { uri: file });
  errors += issues.numErrors;
  console.log(
    `${file}: ${issues.numErrors} errors, ${issues.numWarnings} warnings, ${issues.numInfos} infos; ` +
      `${info.drawCallCount} draw calls, ${info.totalVertexCount} vertices, ${info.totalTriangleCount} triangles`,
  );
  for (const { severity, code, message, pointer } of issues.messages.slice(0, 10)) {
    console.log(`  ${["error", "warning", "info", "hint"][severity]} ${code} at ${pointer}: ${message}`);
  }
}
process.exit(errors > 0 ? 1 : 0);
