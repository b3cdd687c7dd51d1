// A canvas of 28 x 28 cells to draw a digit on, with a mouse, a finger or the keys.
const SIDE = 28, SCALE = 10;

export default {
  template: `
    <div class="pad"><canvas ref="canvas" width="280" height="280" tabindex="0" role="application" class="drawing-pad"
      aria-label="Drawing pad, 28 by 28 cells. Draw with a mouse or a finger, or move with the arrow keys and hold
      Shift to draw; Delete clears."></canvas>
      <span v-show="byKeys" class="pad-cursor" :style="{left: cursor[0] / .28 + '%', top: cursor[1] / .28 + '%'}"></span>
      <span class="sr-only" role="status">{{ byKeys ? "column " + (cursor[0] + 1) + ", row " + (cursor[1] + 1) : "" }}</span>
    </div>`,
  data: () => ({ cursor: [14, 14], byKeys: false }),
  mounted() {
    this.context = this.$refs.canvas.getContext("2d", { willReadFrequently: true });
    this.wipe();
    const canvas = this.$refs.canvas;
    canvas.addEventListener("pointerdown", (event) => {
      this.clearShown();
      canvas.setPointerCapture(event.pointerId);
      this.byKeys = false;
      this.last = this.place(event);
      this.stroke(this.last, this.last);
      event.preventDefault();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.last) return;
      const next = this.place(event);
      this.stroke(this.last, next);
      this.last = next;
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (this.last = null));
    canvas.addEventListener("keydown", this.key);
  },
  methods: {
    place(event) {
      const box = this.$refs.canvas.getBoundingClientRect();
      return [((event.clientX - box.left) / box.width) * 280, ((event.clientY - box.top) / box.height) * 280];
    },
    key(event) {
      const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      if (event.key === "Delete" || event.key === "Backspace") {
        this.clear();
      } else if (event.key in moves) {
        this.byKeys = true;
        const from = this.cursor;
        const clipped = (value) => Math.min(SIDE - 1, Math.max(0, value));
        this.cursor = [clipped(from[0] + moves[event.key][0]), clipped(from[1] + moves[event.key][1])];
        const centre = ([x, y]) => [(x + 0.5) * SCALE, (y + 0.5) * SCALE];
        if (event.shiftKey) this.clearShown();
        if (event.shiftKey) this.stroke(centre(from), centre(this.cursor));
      } else return;
      event.preventDefault();
    },
    stroke(from, to) {
      const c = this.context;
      c.strokeStyle = "white";
      c.lineWidth = 22;
      c.lineCap = c.lineJoin = "round";
      c.beginPath();
      c.moveTo(...from);
      c.lineTo(to[0] + 0.01, to[1]);
      c.stroke();
      this.tell();
    },
    wipe() {
      this.context.fillStyle = "black";
      this.context.fillRect(0, 0, 280, 280);
    },
    clear() {
      this.isShown = false;
      this.wipe();
      this.tell();
    },
    clearShown() {
      if (this.isShown) this.wipe(); // a drawing replaces an image that was shown
      this.isShown = false;
    },
    show(encoded) {
      this.isShown = true;
      const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
      for (let i = 0; i < bytes.length; i++) {
        this.context.fillStyle = `rgb(${bytes[i]},${bytes[i]},${bytes[i]})`;
        this.context.fillRect((i % SIDE) * SCALE, Math.floor(i / SIDE) * SCALE, SCALE, SCALE);
      }
    },
    tell() {
      if (this.waiting) return;
      this.waiting = setTimeout(() => {
        this.waiting = null;
        this.$emit("drawn", this.pixels());
      }, 60);
    },
    pixels() {
      const data = this.context.getImageData(0, 0, 280, 280).data;
      let text = "";
      for (let row = 0; row < SIDE; row++) {
        for (let column = 0; column < SIDE; column++) {
          let sum = 0;
          for (let y = 0; y < SCALE; y++)
            for (let x = 0; x < SCALE; x++) sum += data[4 * ((row * SCALE + y) * 280 + column * SCALE + x)];
          text += String.fromCharCode(Math.round(sum / 100));
        }
      }
      return btoa(text);
    },
  },
};
