# The machine of node.yml as a raw disk on this machine. `cargo xtask demo` applies a copy of this
# folder and boots the disk.
terraform {
  required_version = ">= 1.11"
  required_providers {
    nodeimage = {
      source = "nodeimage/nodeimage"
    }
  }
}

resource "nodeimage_image" "node" {
  config = file("${path.module}/node.yml")
  # Written by `nodeimage lock node.yml`. Without it references are looked up when the image is made.
  lock = fileexists("${path.module}/node.lock") ? file("${path.module}/node.lock") : null
}

resource "nodeimage_file" "disk" {
  image = nodeimage_image.node
  path  = "${path.module}/node.img"
}

output "id" {
  value = nodeimage_image.node.id
}

output "disk_digest" {
  value = nodeimage_file.disk.disk_digest
}
