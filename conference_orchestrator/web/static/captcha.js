// Tells the captcha where its workers are; they are files of ours, so the security policy allows no others.

const worker = (name) => () => new Worker(new URL(`vendor/altcha/${name}.js`, import.meta.url));
for (const bits of ["256", "384", "512"]) {
  globalThis.$altcha.algorithms.set(`PBKDF2/SHA-${bits}`, worker("pbkdf2"));
  globalThis.$altcha.algorithms.set(`SHA-${bits}`, worker("sha"));
}
