/** Each form that misuses an IR value or an encoding's fields fails to compile, with the code it announces. */
import { assert, assertEquals } from "@std/assert";

const FOLDER = new URL("./", import.meta.url);
const ROOT = new URL("../../", FOLDER);

/** The forms, each with the codes that its `@ts-expect-error` lines announce. */
function readForms(): { name: string; source: string; codes: string[] }[] {
  const names = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) =>
    /^[a-z_]+(?<!_test)\.ts$/.test(name)
  );
  return names.sort().map((name) => {
    const source = Deno.readTextFileSync(new URL(name, FOLDER));
    return {
      name,
      source,
      codes: [...source.matchAll(/@ts-expect-error (TS\d+)/g)].map(([, code]) => code!),
    };
  });
}

/**
 * Compiles the forms without their `@ts-expect-error` lines, all at once and outside the tree; returns name and code
 * of each error in them.
 */
async function compile(forms: { name: string; source: string }[]): Promise<string[]> {
  const folder = await Deno.makeTempDir();
  try {
    for (const { name, source } of forms) {
      const bare = source.replace(/^\s*\/\/ @ts-expect-error.*\n/gm, "").replaceAll('"../../', `"${ROOT}`);
      await Deno.writeTextFile(`${folder}/${name}`, bare);
    }
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "check",
        "--quiet",
        "--config",
        new URL("deno.json", ROOT).pathname,
        ...forms.map(({ name }) => name),
      ],
      cwd: folder,
      env: { NO_COLOR: "1" },
    }).output();
    const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    const errors = [...text.matchAll(/(TS\d+) \[ERROR\][\s\S]*?\n\s+at \S*\/([^/\s:]+):\d+:\d+/g)];
    assert(errors.length > 0, `the compiler reported no errors:\n${text}`);
    const ours = errors.filter(([, , name]) => forms.some((form) => form.name === name));
    return ours.map(([, code, name]) => `${name} ${code}`).sort();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("forms that must not compile fail with the code they announce, and no other", async () => {
  const forms = readForms();
  for (const { name, codes } of forms) assertEquals(codes.length, 1, `${name} announces one error`);
  const expected = forms.map(({ name, codes }) => `${name} ${codes[0]}`);
  assertEquals(await compile(forms), expected);
});
