// A module of AssemblyScript: classes, maps, strings, closures over arrays, garbage collection.
class Word {
  constructor(public text: string, public count: i32) {}
}

export function ws_abi_v1(): i32 {
  return 1;
}

export function work(n: i32): i32 {
  const text = "all streams lead to kafka hello kafka streams join kafka summit";
  const counts = new Map<string, Word>();
  for (let round = 0; round < n; round++) {
    const parts = text.split(" ");
    for (let i = 0; i < parts.length; i++) {
      const key = parts[i].toUpperCase();
      if (!counts.has(key)) counts.set(key, new Word(key, 0));
      counts.get(key).count += 1;
    }
  }
  const words = counts.values();
  words.sort((a, b) => b.count - a.count);
  const parts = new Array<string>();
  for (let i = 0; i < words.length; i++) parts.push(words[i].text + "=" + words[i].count.toString());
  return parts.join(",").length + i32(parseFloat("1.5e2"));
}
