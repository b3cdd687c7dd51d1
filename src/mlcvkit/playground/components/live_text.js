// A line of text, or a piece of HTML, that changes often: a change renders this element alone and not the whole page.
export default {
  template: `<div v-if="html" v-html="shown"></div><div v-else>{{ shown }}</div>`,
  props: { first: String, html: Boolean },
  data() {
    return { shown: this.first };
  },
  watch: {
    first(text) {
      this.shown = text;
    },
  },
  mounted() {
    this.$emit("alive");
  },
  methods: {
    show(text) {
      this.shown = text;
    },
  },
};
