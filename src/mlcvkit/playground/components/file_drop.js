// A place to drop a table, a zip file or a folder of images on, or to choose them. All files go to the server in one
// request, each named by its path; what the server made of them is emitted as "brought". Of a table with more than two
// columns of numbers it is asked first which two are the axes.
const MOST_FILES = 6000;

async function walk(entry, path = "") {
  if (entry.isFile) return [[path + entry.name, await new Promise((done, failed) => entry.file(done, failed))]];
  const reader = entry.createReader(), found = [];
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!some.length || found.length > MOST_FILES) return found;
    for (const one of some) found.push(...(await walk(one, `${path}${entry.name}/`)));
  }
}

export default {
  template: `
    <div :class="['file-drop', {over}]" @dragover.prevent="over = true" @dragleave="over = false" @drop.prevent="dropped">
      <p role="status" :class="{failed}">{{ told || "Drop a table, a zip file or a folder of images here." }}</p>
      <label class="file-choice">Choose a file <input type="file" @change="chosen"></label>
      <label class="file-choice">Choose a folder <input type="file" webkitdirectory @change="chosen"></label>
      <form v-if="columns.length > 2" class="axes" @submit.prevent="ask(axes)">
        <label v-for="(side, i) in ['To the right', 'Up']">{{ side }}
          <select v-model="axes[i]" :aria-label="side"><option v-for="column in columns">{{ column }}</option></select>
        </label>
        <button :disabled="axes[0] === axes[1]">Use these columns</button>
      </form>
    </div>`,
  props: { most: Number },
  data: () => ({ over: false, told: "", failed: false, columns: [], axes: [] }),
  methods: {
    chosen(event) {
      this.send([...event.target.files].map((file) => [file.webkitRelativePath || file.name, file]));
    },
    async dropped(event) {
      this.over = false;
      const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
      try {
        this.send((await Promise.all(entries.map((entry) => walk(entry)))).flat());
      } catch (error) {
        this.told = `It cannot be read: ${error.message}`;
      }
    },
    async send(files) {
      files = files.filter(([path]) => !path.split("/").some((part) => part.startsWith(".")));
      const size = files.reduce((sum, [, file]) => sum + file.size, 0);
      if (!files.length) return (this.told = "There is no file in it.");
      if (size > this.most || files.length > MOST_FILES)
        return (this.told = `That is too much: ${files.length} files of ${(size / 1e6).toFixed(1)} MB together.`);
      this.failed = false;
      this.told = files.length > 1 ? `Sending ${files.length} files ...` : `Sending ${files[0][0]} ...`;
      this.files = files;
      this.columns = [];
      await this.ask([]);
    },
    async ask(axes) {
      const form = new FormData();
      for (const axis of axes) form.append("axis", axis);
      for (const [path, file] of this.files) {
        form.append("path", path);
        form.append("file", file, "file");
      }
      try {
        const answer = await fetch("bring", { method: "POST", body: form, headers: { "X-Requested-With": "mlcvlab" } });
        const made = await answer.json();
        this.told = made.error || "";
        this.failed = Boolean(made.error);
        if (made.error) return;
        if (axes.length || made.columns.length < 3) return this.$emit("brought", made);
        [this.columns, this.axes] = [made.columns, made.columns.slice(0, 2)];
        this.told = "Which two columns span the plane?";
      } catch (error) {
        this.told = `The files did not arrive: ${error.message}`;
      }
    },
  },
};
