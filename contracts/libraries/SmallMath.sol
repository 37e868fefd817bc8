// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title SmallMath
/// @notice Sums of numbers that are far below 2^255 because of how many bits they have, and so need no check.
library SmallMath {
    function add(uint256 a, uint256 b) internal pure returns (uint256) {
        unchecked {
            return a + b;
        }
    }
}
