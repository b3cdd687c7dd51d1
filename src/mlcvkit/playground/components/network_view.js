// A network, drawn: the sample, the units of each hidden layer, the edges between them, and the answer. One canvas.
const BLUE = [47, 111, 179], RED = [200, 60, 40], AMBER = [230, 160, 0], GREY = [136, 136, 136];
const OF_CLASSES = [BLUE, RED, [0, 140, 105], [214, 150, 0]];
const INPUT = 84, TILE = 34, ROUND = 11, LEFT = 8, TOP = 22;
const NEAR = 5; // pixels from an edge that still touch it

const bytes = (text, Kind) => new Kind(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
const rgba = (colour, alpha) => `rgba(${colour.join(",")},${alpha})`;
const share = (p) => (p < 1 && p >= 0.995 ? "> 99 %" : `${(100 * p).toFixed(0)} %`);
const signed = (x) => (x < 0 ? "" : "+") + x.toFixed(2);

export default {
  template: `
    <div class="network-view" @mouseleave="hovered = null; draw()">
      <canvas ref="canvas" tabindex="0" role="application" :aria-label="label" @mousemove="move" @click="click"
        @keydown="key" @focus="draw" @blur="draw"></canvas>
      <div v-if="hovered" class="network-told" :style="place">
        <canvas ref="large" v-show="hovered.picture !== undefined" width="112" height="112"></canvas>
        <div v-for="line in told">{{ line }}</div>
      </div>
      <span class="sr-only" role="status">{{ spoken }}</span>
    </div>`,
  props: { label: String },
  data: () => ({ hovered: null, told: [], place: {}, spoken: "" }),
  mounted() {
    this.at = 0;
    this.resized = new ResizeObserver(([entry]) => {
      this.wide = Math.round(entry.contentRect.width); // asked here once: in draw it would lay out the page each time
      this.draw();
    });
    this.resized.observe(this.$el);
    this.observer = new MutationObserver(() => this.draw()); // light or dark
    this.observer.observe(document.body, { attributes: true, attributeFilter: ["class"] });
  },
  unmounted() {
    this.observer.disconnect();
    this.resized.disconnect();
  },
  methods: {
    show(network) {
      this.network = network;
      network.tiles = network.pictures ? bytes(network.pictures, Int8Array) : null;
      network.image = typeof network.input === "string" ? bytes(network.input, Uint8Array) : null;
      this.draw();
      const layer = this.hovered && !this.hovered.edge && network.layers[this.hovered.layer];
      if (this.hovered && !this.hovered.edge && (!layer || this.hovered.i >= layer.units.length)) this.hovered = null; // it is gone
      if (this.hovered) this.tell(this.hovered);
    },
    layout() {
      // Where everything lies: columns for the input, the layers and the output.
      const net = this.network, width = this.wide, tall = Math.max(...net.layers.map((l) => l.units.length), 4);
      const pitch = Math.min(TILE + 8, Math.max(TILE + 2, 420 / tall)), height = TOP + tall * pitch + 12;
      const first = LEFT + (net.plane ? 2 * ROUND : INPUT), last = width - 92;
      const x = (l) => first + ((last - first) * (l + 1)) / (net.layers.length + 1);
      const spread = (count, i) => TOP + (height - TOP) * ((i + 0.5) / count);
      const spots = [];
      const inputs = net.plane ? 2 : 1;
      for (let i = 0; i < inputs; i++)
        spots.push({ layer: -1, i, x: LEFT + (net.plane ? ROUND : INPUT / 2), y: spread(inputs, i), r: net.plane ? ROUND : INPUT / 2 });
      net.layers.forEach((layer, l) =>
        layer.units.forEach((number, i) =>
          spots.push({ layer: l, i, number, x: x(l), y: spread(layer.units.length, i), r: l ? ROUND : TILE / 2 })));
      net.names.forEach((name, i) => {
        const many = net.names.length > 2;
        if (many || i) spots.push({ layer: net.layers.length, i: many ? i : 0, x: last, y: many ? spread(net.names.length, i) : height / 2, r: many ? 8 : ROUND });
      });
      return { width, height, spots, last };
    },
    draw() {
      const net = this.network, canvas = this.$refs.canvas;
      if (!net || !canvas || !this.wide) return;
      const { width, height, spots, last } = (this.laid = this.layout());
      const ratio = window.devicePixelRatio || 1;
      if (canvas.width !== width * ratio || canvas.height !== height * ratio) {
        canvas.width = width * ratio;
        canvas.height = height * ratio;
        canvas.style.height = height + "px";
      }
      const c = (this.context = canvas.getContext("2d"));
      c.setTransform(ratio, 0, 0, ratio, 0, 0);
      c.clearRect(0, 0, width, height);
      this.dark = document.body.classList.contains("body--dark");
      this.edges = this.edgesOf(spots);
      for (const edge of this.edges) this.line(edge);
      for (const spot of spots) this.spot(spot);
      this.answer(last, height);
      this.headings(spots);
    },
    edgesOf(spots) {
      const net = this.network, edges = [];
      const of = (layer) => spots.filter((spot) => spot.layer === layer);
      if (!net.plane)
        for (const to of of(0)) edges.push({ from: of(-1)[0], to, value: this.fires(to), kind: "sum" });
      net.weights.forEach((matrix, gap) => {
        const layer = gap + (net.plane ? 0 : 1); // the layer that the edges lead to
        const sources = of(layer - 1), most = Math.max(1e-9, ...matrix.flat().map(Math.abs));
        of(layer).forEach((to, row) => sources.forEach((from, column) => {
          const weight = matrix[row][column], fires = layer ? this.fires(from) : (net.input || [0, 0])[column];
          edges.push({ from, to, weight, layer, size: Math.abs(weight) / most, adds: net.input ? weight * fires : null });
        }));
      });
      const added = Math.max(1e-9, ...edges.filter((e) => e.layer === net.layers.length).map((e) => Math.abs(e.adds || 0)));
      for (const edge of edges) if (edge.layer === net.layers.length) edge.part = edge.adds === null ? null : Math.abs(edge.adds) / added;
      return edges;
    },
    fires(spot) {
      const layer = this.network.layers[spot.layer];
      return layer && layer.fires ? layer.fires[spot.i] : 0;
    },
    share(spot) {
      const layer = this.network.layers[spot.layer];
      return layer && layer.fires ? Math.abs(this.fires(spot)) / Math.max(1e-9, ...layer.fires.map(Math.abs)) : 0;
    },
    line(edge) {
      const c = this.context, { from, to } = edge;
      c.beginPath();
      const x0 = from.x + from.r, x1 = to.x - to.r, bend = (x1 - x0) / 2;
      c.moveTo(x0, from.y);
      c.bezierCurveTo(x0 + bend, from.y, x1 - bend, to.y, x1, to.y);
      if (edge.kind === "sum") {
        const share = this.network.input ? this.share(to) : 0;
        c.strokeStyle = share ? rgba(AMBER, 0.15 + 0.7 * share) : "rgba(128,128,128,.25)";
        c.lineWidth = 1 + 3 * share;
      } else {
        const lit = edge.part === undefined || edge.part === null ? 0.55 : 0.12 + 0.85 * edge.part;
        c.strokeStyle = rgba(edge.weight > 0 ? RED : edge.weight < 0 ? BLUE : GREY, edge === this.chosen ? 1 : lit);
        c.lineWidth = 0.6 + 4 * edge.size + (edge === this.chosen ? 2 : 0);
      }
      c.stroke();
    },
    spot(spot) {
      const net = this.network, c = this.context, { x, y, r } = spot;
      if (spot.layer === -1 && !net.plane) this.picture(x - r, y - r, 2 * r, net.side, (p) => (net.image ? [net.image[p], net.image[p], net.image[p]] : this.dark ? [30, 30, 30] : [238, 238, 238]));
      else if (spot.layer === 0 && net.tiles) this.picture(x - r, y - r, 2 * r, net.tileSide, this.tile(spot.i));
      else {
        const value = spot.layer === -1 ? net.input && net.input[spot.i] : this.fires(spot);
        const share = spot.layer === -1 ? 0.5 : this.share(spot);
        c.beginPath();
        c.arc(x, y, r, 0, 7);
        c.fillStyle = this.dark ? "#2a2a2a" : "#f2f2f2";
        c.fill();
        if (value && spot.layer < net.layers.length) {
          c.fillStyle = rgba(AMBER, 0.15 + 0.8 * share);
          c.fill();
        }
      }
      const fires = spot.layer >= 0 && spot.layer < net.layers.length && this.share(spot);
      c.strokeStyle = fires ? rgba(AMBER, 0.25 + 0.75 * fires) : "rgba(128,128,128,.55)";
      c.lineWidth = fires ? 1 + 3 * fires : 1;
      this.outline(spot, r + 1);
      if (document.activeElement === this.$refs.canvas && this.focusable()[this.at] === spot) {
        c.strokeStyle = this.dark ? "white" : "black";
        c.lineWidth = 2;
        this.outline(spot, r + 4);
      }
    },
    outline({ x, y, layer }, r) {
      const c = this.context;
      c.beginPath();
      if (this.network.plane ? layer === 0 : layer <= 0) c.rect(x - r, y - r, 2 * r, 2 * r);
      else c.arc(x, y, r, 0, 7);
      c.stroke();
    },
    tile(i) {
      const { tiles, tileSide } = this.network, zero = this.dark ? 18 : 250;
      return (p) => {
        const value = tiles[i * tileSide * tileSide + p] / 127, end = value > 0 ? RED : BLUE;
        return end.map((k) => zero + Math.abs(value) * (k - zero));
      };
    },
    picture(x, y, size, side, colour, c = this.context) {
      const small = new OffscreenCanvas(side, side), image = new ImageData(side, side);
      for (let p = 0; p < side * side; p++) image.data.set([...colour(p), 255], 4 * p);
      small.getContext("2d").putImageData(image, 0, 0);
      c.imageSmoothingEnabled = false;
      c.drawImage(small, x, y, size, size);
    },
    answer(last, height) {
      const net = this.network, c = this.context, ink = this.dark ? "#eee" : "#222";
      c.font = "12px sans-serif";
      c.textBaseline = "middle";
      const bar = (x, y, w, h, share, colour) => {
        c.fillStyle = this.dark ? "#333" : "#e4e4e4";
        c.fillRect(x, y, w, h);
        c.fillStyle = rgba(colour, 1);
        c.fillRect(x, y + h * (1 - share), w, h * share);
      };
      if (net.names.length === 2) {
        const [low, high] = net.names, p = net.answers ? net.answers[0] : 0, h = Math.min(150, height - 70), top = (height - h) / 2;
        const x = last + 26;
        const [below, above] = net.colours.map((kind) => OF_CLASSES[kind]);
        bar(x, top, 16, h, net.answers ? 1 : 0, below);
        if (net.answers) { c.fillStyle = rgba(above, 1); c.fillRect(x, top, 16, h * p); }
        c.fillStyle = ink;
        c.fillText(this.short(high), x - 4, top - 12);
        c.fillText(this.short(low), x - 4, top + h + 14);
        if (net.answers) c.fillText(share(Math.max(p, 1 - p)), x + 20, top + (p >= 0.5 ? h * p / 2 : h * (p + (1 - p) / 2)));
      } else {
        const widest = Math.max(...net.names.map((name) => c.measureText(name).width));
        const after = Math.min(56, 20 + widest); // all bars start here and have one scale
        for (const spot of this.laid.spots.filter((s) => s.layer === net.layers.length)) {
          c.fillStyle = ink;
          c.fillText(this.short(net.names[spot.i]), last + 14, spot.y - (widest > 36 && net.answers ? 7 : 0));
          c.fillStyle = rgba(net.plane ? OF_CLASSES[net.colours[spot.i]] : RED, 0.9);
          const [x, y] = widest > 36 ? [last + 14, spot.y + 2] : [last + after, spot.y - 5];
          if (net.answers) c.fillRect(x, y, 1 + (widest > 36 ? 70 : 86 - after) * net.answers[spot.i], widest > 36 ? 6 : 10);
        }
      }
    },
    short(name) {
      const fits = (text) => this.context.measureText(text).width <= 76;
      let kept = name;
      while (!fits(kept === name ? name : kept + "…")) kept = kept.slice(0, -1);
      return kept === name ? name : kept + "…";
    },
    headings(spots) {
      const c = this.context, net = this.network;
      c.fillStyle = this.dark ? "#aaa" : "#555";
      c.font = "11px sans-serif";
      c.textBaseline = "top";
      c.textAlign = "center";
      const at = (l) => spots.find((s) => s.layer === l).x, isNarrow = net.layers.length > 1 && at(1) - at(0) < 56;
      net.layers.forEach((layer, l) => {
        const more = layer.rest ? `${isNarrow ? "/" : " of "}${layer.units.length + layer.rest}` : "";
        const words = net.layers.length > 1 ? "" : " hidden units";
        c.fillText(`${layer.units.length}${more}${words}`, at(l), 2);
      });
      c.textAlign = "start";
      c.fillText(net.plane ? "x₁, x₂" : "what it sees", LEFT, 2);
    },
    // touching it
    focusable() {
      return this.laid.spots.filter((s) => s.layer >= 0 && s.layer < this.network.layers.length);
    },
    under(event) {
      const box = this.$refs.canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
      const spot = this.laid && this.laid.spots.find((s) => Math.abs(s.x - x) <= s.r + 2 && Math.abs(s.y - y) <= s.r + 2);
      if (spot) return { spot, x, y };
      let best = null;
      for (const edge of this.edges || []) {
        if (edge.kind === "sum") continue;
        const x0 = edge.from.x + edge.from.r, x1 = edge.to.x - edge.to.r, t = (x - x0) / (x1 - x0);
        if (t < 0 || t > 1) continue;
        // the curve at this t, near enough: its x runs almost evenly
        const s = t * t * (3 - 2 * t), off = Math.abs(edge.from.y + s * (edge.to.y - edge.from.y) - y);
        if (off < NEAR + 2 * edge.size && (!best || off < best.off)) best = { edge, off, x, y };
      }
      return best || { x, y };
    },
    move(event) {
      const { spot, edge, x, y } = this.under(event);
      this.chosen = edge;
      this.$refs.canvas.style.cursor = edge || (spot && spot.number !== undefined) ? "pointer" : "default";
      this.place = x > this.$el.clientWidth / 2 ? { right: this.$el.clientWidth - x + 14 + "px", top: y + 8 + "px" } : { left: x + 14 + "px", top: y + 8 + "px" };
      if (spot && spot.number !== undefined) this.tell({ layer: spot.layer, i: spot.i, picture: spot.layer ? undefined : spot.i });
      else if (edge) this.tell({ edge: [edge.layer, edge.to.i, edge.from.i] });
      else this.hovered = null;
      this.draw();
    },
    async tell(hovered) {
      const net = this.network;
      this.hovered = hovered;
      if (hovered.edge) {
        const [layer, to, from] = hovered.edge;
        const edge = this.edges.find((e) => e.layer === layer && e.to.i === to && e.from.i === from);
        if (!edge) return;
        this.told = [`weight ${signed(edge.weight)}`, ...(edge.adds === null ? [] : [`adds ${signed(edge.adds)}`]), "Click to change it"];
      } else {
        const layer = net.layers[hovered.layer], number = layer.units[hovered.i] + 1;
        this.told = [`Hidden unit ${number}`, ...(layer.fires ? [`fires ${layer.fires[hovered.i].toFixed(2)}`] : []), "Click to open it"];
        if (hovered.layer === net.layers.length - 1 && net.names.length === 2) {
          const weight = net.weights.at(-1)[0][hovered.i];
          this.told.splice(-1, 0, `weight to ${net.names[1]} ${signed(weight)}`);
          if (layer.fires) this.told.splice(-1, 0, `adds ${signed(weight * layer.fires[hovered.i])}`);
        }
      }
      if (hovered.picture !== undefined && net.tiles) {
        await this.$nextTick();
        if (this.$refs.large) this.picture(0, 0, 112, net.tileSide, this.tile(hovered.picture), this.$refs.large.getContext("2d"));
      }
    },
    click(event) {
      const { spot, edge } = this.under(event), net = this.network;
      if (spot && spot.number !== undefined) this.$emit("unit", [spot.layer, spot.number]);
      else if (edge) {
        const from = edge.layer ? net.layers[edge.layer - 1].units[edge.from.i] : edge.from.i;
        this.$emit("edge", [edge.layer, edge.layer < net.layers.length ? edge.to.number : edge.to.i, from]);
      }
    },
    key(event) {
      const units = this.focusable();
      this.at = Math.min(this.at, units.length - 1);
      const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
      if (by) this.at = (this.at + by + units.length) % units.length;
      else if (event.key === "Enter") this.$emit("unit", [units[this.at].layer, units[this.at].number]);
      else return;
      event.preventDefault();
      const unit = units[this.at];
      this.spoken = `Hidden unit ${unit.number + 1} of layer ${unit.layer + 1}, fires ${this.fires(unit).toFixed(2)}`;
      this.draw();
    },
  },
};
