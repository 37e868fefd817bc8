// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title PaddedText
/// @notice UTF-8 text of at most 32 bytes in one word, padded with zeros.
library PaddedText {
    /// @notice The text without its padding.
    /// @dev Assembly, because the compiler's code for this is ten times as long.
    function toString(bytes32 padded) internal pure returns (string memory text) {
        assembly ("memory-safe") {
            text := mload(0x40)
            mstore(0x40, add(text, 0x40))
            let length := 0
            for {} and(lt(length, 32), gt(byte(length, padded), 0)) {} { length := add(length, 1) }
            mstore(text, length)
            mstore(add(text, 0x20), padded)
        }
    }
}
