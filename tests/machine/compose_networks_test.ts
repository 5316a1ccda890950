/** Networks of a machine: what is served, and what cannot be. */
import { assertEquals, assertThrows } from "@std/assert";
import { createHash } from "node:crypto";
import { composeBoard } from "../../machine/compose.ts";
import { type ConfigurationInput, parseConfiguration } from "../../machine/configuration.ts";
import { ConfigurationError } from "../../machine/errors.ts";

const hash = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const FILE = new TextEncoder().encode("served"), NONE = new Uint8Array(0);
const reference = (bytes: Uint8Array, size = bytes.length) => ({ sha256: hash(bytes), size, name: "f.bin" });

function build(networks: ConfigurationInput["networks"], images: readonly Uint8Array[]) {
  const devices = (networks ?? []).map(({ id }) => ({ driver: "virtio-net-device" as const, netdev: id }));
  const configuration = parseConfiguration({ networks, devices });
  const byHash = new Map(images.map((bytes) => [hash(bytes), bytes]));
  return composeBoard(configuration, byHash, { powerOff: () => {}, reset: () => {} });
}

Deno.test("Networks builds the inner peer with its files, one without bytes among them", () => {
  const files = [{ path: "a", image: reference(FILE) }, { path: "b", image: reference(NONE) }];
  const board = build([{ kind: "user", id: "net0", files, bootFile: "a" }], [FILE, NONE]);
  const sections = board.save();
  assertEquals(sections.filter(({ name }) => name === "network net0").length, 1);
  board.restore((name) => sections.find((section) => section.name === name)!);
  assertEquals(board.save(), sections);
});

Deno.test("Networks refuses files that are missing, of another size or of one path", () => {
  const serve = (...files: { path: string; image: ReturnType<typeof reference> }[]) => () =>
    build([{ kind: "user", id: "net0", files, bootFile: undefined }], [FILE]);
  const missing = { path: "x", image: reference(Uint8Array.of(1)) };
  assertThrows(
    serve(missing),
    ConfigurationError,
    'Cannot serve file "x" "f.bin": the file is missing',
  );
  const short = { path: "x", image: reference(FILE, 7) };
  assertThrows(serve(short), ConfigurationError, "it has 6 bytes, not 7");
  const file = { path: "x", image: reference(FILE) };
  assertThrows(serve(file, file), ConfigurationError, 'Cannot serve two files as "x"');
});
