cg.graph @double(%x: tensor<2x4xf64>) -> tensor<2x4xf64> {
  %y = cg.relu %x : tensor<2x4xf64>
  cg.return %y : tensor<2x4xf64>
}
