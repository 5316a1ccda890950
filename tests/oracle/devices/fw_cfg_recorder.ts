/** Reads the files of QEMU's fw_cfg by its DMA interface. */
import { type FirmwareCase, firmwareLines } from "../../machine/firmware_lines.ts";
import { Qtest } from "./qtest.ts";

const DMA = 0x0902_0010;
/** Where requests and their data go in RAM. */
const REQUEST = 0x4010_0000;
const BUFFER = 0x4020_0000;
const SELECT_AND_READ = 8 | 2;
const DIRECTORY = 0x19;
const ENTRY_SIZE = 64;

/** What is in QEMU's directory and not in ours: ACPI, which is not here. */
const ABSENT = /^etc\/(acpi\/.*|table-loader|tpm\/log)$/;

function bigEndian(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, value >>> 0);
  return view.getUint32(0, true);
}

async function readItem(qtest: Qtest, selector: number, size: number): Promise<Uint8Array> {
  if (size === 0) return new Uint8Array(0);
  const words = [selector << 16 | SELECT_AND_READ, size, 0, BUFFER];
  for (const [index, word] of words.entries()) await qtest.write(REQUEST + 4 * index, 4, bigEndian(word));
  await qtest.write(DMA, 4, 0);
  await qtest.write(DMA + 4, 4, bigEndian(REQUEST));
  const [text = ""] = await qtest.command(`read 0x${BUFFER.toString(16)} 0x${size.toString(16)}`);
  return Uint8Array.fromHex(text.slice(2));
}

/** The files of a machine, as lines. */
export async function recordFirmwareFiles({ name, options }: FirmwareCase): Promise<string[]> {
  const qtest = await Qtest.start(["-M", "virt", ...options]);
  const view = new DataView((await readItem(qtest, DIRECTORY, 4 + 32 * ENTRY_SIZE)).buffer);
  const files: [string, Uint8Array][] = [];
  for (let at = 4; at < 4 + view.getUint32(0) * ENTRY_SIZE; at += ENTRY_SIZE) {
    const text = new TextDecoder().decode(new Uint8Array(view.buffer, at + 8, ENTRY_SIZE - 8));
    const file = text.slice(0, text.indexOf("\0"));
    if (!ABSENT.test(file)) {
      files.push([file, await readItem(qtest, view.getUint16(at + 4), view.getUint32(at))]);
    }
  }
  await qtest.stop();
  return firmwareLines(name, files);
}
