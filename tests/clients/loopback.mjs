// `node --import ./loopback.mjs …`: whatever listens does so on loopback only.
import net from "node:net";

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...more) {
  return Number.isNaN(Number(port)) ? listen.call(this, port, ...more) : listen.call(this, Number(port), "127.0.0.1", ...more);
};
