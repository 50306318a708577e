/** WASM kernels imported `with { type: 'file' }` are paths: into the tree, or into the executable. */
declare module '*.wasm' {
  const path: string;
  // biome-ignore lint/style/noDefaultExport: the bundler's file imports are default imports.
  export default path;
}
